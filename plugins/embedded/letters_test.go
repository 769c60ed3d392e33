package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// parked keeps events as dead letters.
func parked(t testing.TB, d *DB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := d.Park(t.Context(), event(id), hook.Fault{Kind: hook.KindPermanent, Message: "of " + id})
		must(t, err)
	}
}

// swept goes over the letters and returns their IDs. What is not in verdicts is
// kept.
func swept(t testing.TB, d *DB, verdicts map[string]hook.Action) (ids []string, err error) {
	t.Helper()
	err = d.Sweep(t.Context(), func(l *hook.DeadLetter) hook.Verdict {
		ids = append(ids, l.Event.ID)
		v := hook.Verdict{Do: verdicts[l.Event.ID]}
		if v.Do == hook.Send {
			ev := *l.Event
			ev.Replay++
			v.Event = &ev
		}
		return v
	})
	return ids, err
}

func TestASweepShowsEachLetterAsItIs(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	fault := *fullFault()
	_, err := d.Park(t.Context(), fullEvent(), fault)
	must(t, err)
	var got []*hook.DeadLetter
	must(t, d.Sweep(t.Context(), func(l *hook.DeadLetter) hook.Verdict {
		got = append(got, l)
		return hook.Verdict{}
	}))
	want := []*hook.DeadLetter{{ID: hook.LetterID(fullEvent()), Event: fullEvent(), Fault: fault}}
	if diff := cmp.Diff(want, got, compareAddr); diff != "" {
		t.Error(diff)
	}
}

func TestASweepDoesWhatItIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		verdicts map[string]hook.Action
		seen     string
		dead     string
		ready    string
	}{
		"all are kept":              {nil, "a b c d", "a b c d", ""},
		"one is removed":            {map[string]hook.Action{"b": hook.Discard}, "a b c d", "a c d", ""},
		"some are sent":             {map[string]hook.Action{"a": hook.Send, "c": hook.Send}, "a b c d", "b d", "a c"},
		"it stops in the middle":    {map[string]hook.Action{"a": hook.Discard, "c": hook.Stop}, "a b c", "b c d", ""},
		"it stops at the beginning": {map[string]hook.Action{"a": hook.Stop}, "a", "a b c d", ""},
		"nothing is left": {
			map[string]hook.Action{"a": hook.Send, "b": hook.Discard, "c": hook.Send, "d": hook.Discard},
			"a b c d", "", "a c",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := started(t, Options{})
			parked(t, d, "a", "b", "c", "d")
			seen, err := swept(t, d, tc.verdicts)
			must(t, err)
			left, err := swept(t, d, nil)
			must(t, err)
			entries, err := d.Peek(t.Context(), hook.StateReady, 0, 10)
			must(t, err)
			var ready []string
			for _, e := range entries {
				ready = append(ready, e.Event.ID)
				if e.Event.Replay != 1 || e.Fault != nil {
					t.Errorf("%s: replay %d, fault %v", e.Event.ID, e.Event.Replay, e.Fault)
				}
			}
			for what, pair := range map[string][2]string{
				"seen": {strings.Join(seen, " "), tc.seen}, "left": {strings.Join(left, " "), tc.dead}, "ready": {strings.Join(ready, " "), tc.ready},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
				}
			}
			if n, err := d.Count(t.Context()); n != len(left) || err != nil {
				t.Errorf("%d letters, %v", n, err)
			}
			intact(t, d)
		})
	}
}

func TestASweepDoesNotMeetTheLettersThatItMakes(t *testing.T) {
	d := started(t, Options{})
	const n = chunkEntries + 3
	for i := range n {
		parked(t, d, fmt.Sprint(i))
	}
	seen := 0
	must(t, d.Sweep(t.Context(), func(l *hook.DeadLetter) hook.Verdict {
		seen++
		parked(t, d, "again "+l.Event.ID) // as a consumer does with what still fails
		return hook.Verdict{Do: hook.Discard}
	}))
	if count, err := d.Count(t.Context()); seen != n || count != n || err != nil {
		t.Errorf("%d seen, %d left, %v", seen, count, err)
	}
	intact(t, d)
}

func TestALetterIsSentBeforeTheNextVerdictIsDueWhereThatTakesItsTime(t *testing.T) {
	d := started(t, Options{})
	parked(t, d, "a", "b", "c")
	n := 0
	must(t, d.Sweep(t.Context(), func(l *hook.DeadLetter) hook.Verdict {
		eventually(t, "the one before is in the queue", func() bool { return d.Stats().Ready == n })
		n++
		return hook.Verdict{Do: hook.Send, Event: l.Event}
	}))
	if d.Stats().Ready != 3 || d.Stats().Dead != 0 {
		t.Errorf("%+v", d.Stats())
	}
}

func TestOneSweepWaitsForAnother(t *testing.T) {
	d := started(t, Options{})
	parked(t, d, "a")
	inside, on := make(chan struct{}), make(chan struct{})
	done := make(chan error, 2)
	go func() {
		done <- d.Sweep(context.Background(), func(*hook.DeadLetter) hook.Verdict {
			close(inside)
			<-on
			return hook.Verdict{Do: hook.Discard}
		})
	}()
	<-inside
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	never := func(*hook.DeadLetter) hook.Verdict { t.Error("two at a time"); return hook.Verdict{} }
	if err := d.Sweep(ctx, never); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	go func() { done <- d.Sweep(context.Background(), never) }()
	close(on)
	must(t, <-done)
	must(t, <-done)
}

func TestASweepThatEndsEarlyHasDoneWhatItHasDone(t *testing.T) {
	d := started(t, Options{})
	parked(t, d, "a", "b", "c")
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := d.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
		if n++; n == 2 {
			cancel()
		}
		return hook.Verdict{Do: hook.Discard}
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left := d.Stats().Dead; n != 2 || left != 1 {
		t.Errorf("%d verdicts, %d left", n, left)
	}
	for name, v := range map[string]hook.Verdict{
		"no event":                   {Do: hook.Send},
		"an event that has no place": {Do: hook.Send, Event: &hook.Event{}},
	} {
		if err := d.Sweep(t.Context(), func(*hook.DeadLetter) hook.Verdict { return v }); err == nil {
			t.Errorf("%s: no error", name)
		}
		if s := d.Stats(); s.Dead != 1 || s.Ready != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_ = d.Sweep(t.Context(), func(*hook.DeadLetter) hook.Verdict { panic("of the caller") })
	}()
	ids, err := swept(t, d, nil) // the next one is not kept out
	if err != nil || len(ids) != 1 {
		t.Errorf("%v %v", ids, err)
	}
	must(t, d.Close(t.Context()))
	if _, err := swept(t, d, nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := d.Count(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestALetterThatCannotBeReadIsNamedAndKept(t *testing.T) {
	d := started(t, Options{})
	parked(t, d, "a", "b", "c", "d")
	must(t, d.bolt.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketDead))
		return errors.Join(b.Put([]byte{7: 2}, []byte{9}), b.Put([]byte{7: 4}, []byte{9}))
	}))
	ids, err := swept(t, d, map[string]hook.Action{"a": hook.Discard, "c": hook.Send})
	if fmt.Sprint(ids) != "[a c]" || !errors.Is(err, errEnvelope) || !strings.Contains(err.Error(), "entry 2:") || !strings.Contains(err.Error(), "entry 4:") {
		t.Errorf("%v %v", ids, err)
	}
	if s := d.Stats(); s.Dead != 2 || s.Ready != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTenThousandLettersAreLookedAtInNoTime(t *testing.T) {
	d := started(t, Options{})
	const n = 10_000
	for i := range n {
		o, err := d.newEventOp((*batch).publish, event(fmt.Sprint(i)), &hook.Fault{Kind: hook.KindExhausted})
		must(t, err)
		d.ops <- o
	}
	eventually(t, "all are there", func() bool { return d.Stats().Dead == n })
	before := d.Stats().Batches
	for range 2 {
		begin := time.Now()
		seen := 0
		must(t, d.Sweep(t.Context(), func(l *hook.DeadLetter) hook.Verdict {
			if l.Event.ID != fmt.Sprint(seen) {
				t.Fatalf("%s in place %d", l.Event.ID, seen)
			}
			seen++
			return hook.Verdict{}
		}))
		if took := time.Since(begin); seen != n || took > 3*time.Second { // some 50 ms without the race detector
			t.Errorf("%d in %s", seen, took)
		}
	}
	if s := d.Stats(); s.Batches != before || s.Dead != n {
		t.Errorf("to look has changed something: %+v", s)
	}
	must(t, d.Sweep(t.Context(), func(l *hook.DeadLetter) hook.Verdict { return hook.Verdict{Do: hook.Send, Event: l.Event} }))
	if s := d.Stats(); s.Dead != 0 || s.Ready != n || s.Batches > before+n/10 {
		t.Errorf("%+v", s)
	}
	intact(t, d)
}

func TestASweepRunsBesideAllElse(t *testing.T) {
	d := started(t, Options{})
	const n = 400
	for i := range n {
		parked(t, d, fmt.Sprint("letter", i))
	}
	d.Prefetch(16)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg, consumers sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range n / 4 {
				if _, err := d.Publish(ctx, event(fmt.Sprint("new", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	handled := map[string]int{}
	for range 4 {
		consumers.Go(func() {
			for {
				dl, err := d.Receive(ctx)
				if err != nil {
					return
				}
				if err := dl.Done(context.Background()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				handled[dl.Event().ID]++
				mu.Unlock()
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			if err := d.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
				return hook.Verdict{Do: hook.Send, Event: l.Event}
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	eventually(t, "all is done", func() bool { s := d.Stats(); return s.Ready+s.InWork+s.Dead == 0 })
	cancel()
	consumers.Wait()
	for i := range n {
		if got := handled[fmt.Sprint("letter", i)]; got != 1 {
			t.Errorf("letter %d was handled %d times", i, got)
		}
	}
	intact(t, d)
}

func TestSettlingAndSendingGoOnInAFullStore(t *testing.T) {
	c := newClock()
	d := started(t, Options{MaxSize: 2 << 20, Now: c.now})
	parked(t, d, "letter", "other")
	n := fill(t, d)
	d.Prefetch(4)
	settles := []func(hook.Delivery) error{
		func(dl hook.Delivery) error {
			return dl.Later(t.Context(), time.Minute, &hook.Fault{Kind: hook.KindTransient})
		},
		func(dl hook.Delivery) error { return dl.Dead(t.Context(), hook.Fault{Kind: hook.KindPermanent}) },
		func(dl hook.Delivery) error { return dl.Return(t.Context()) },
	}
	for i, settle := range settles {
		if err := settle(received(t, d)); err != nil {
			t.Errorf("settling %d: %v", i, err)
		}
	}
	_, err := swept(t, d, map[string]hook.Action{"letter": hook.Send, "other": hook.Discard})
	must(t, err)
	if err := d.Ready(); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	c.advance(time.Minute)
	left := 0
	for d.Stats().Ready+d.Stats().Due+d.Stats().InWork > 0 {
		must(t, received(t, d).Done(t.Context()))
		left++
	}
	if left != n { // one is dead, one was sent
		t.Errorf("%d were processed, want %d", left, n)
	}
	must(t, d.Ready())
	intact(t, d)
}
