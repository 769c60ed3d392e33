package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// received returns the next event, which must be there.
func received(t testing.TB, d *DB) hook.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dl, err := d.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return dl
}

// nothing checks that there is no event to be had. Only a wait can show it.
func nothing(t testing.TB, d *DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if dl, err := d.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("there is an event: %v %v", dl, err)
	}
}

// receiving asks for an event in the background.
func receiving(ctx context.Context, d *DB) (<-chan hook.Delivery, <-chan error) {
	got, errs := make(chan hook.Delivery, 1), make(chan error, 1)
	go func() {
		if dl, err := d.Receive(ctx); err != nil {
			errs <- err
		} else {
			got <- dl
		}
	}()
	return got, errs
}

func askers(t testing.TB, d *DB, n int) {
	t.Helper()
	eventually(t, "they ask", func() bool {
		d.desk.mu.Lock()
		defer d.desk.mu.Unlock()
		return len(d.desk.waiters) == n
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func published(t testing.TB, d *DB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := d.Publish(t.Context(), event(id))
		must(t, err)
	}
}

func (c counts) of(d *DB) bool {
	s := d.Stats()
	return c == counts{ready: int64(s.Ready), dead: int64(s.Dead), later: int64(s.Due)}
}

func TestEventsAreHandedOutTheOldestFirst(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a", "b", "c")
	for _, want := range []string{"a", "b", "c"} {
		dl := received(t, d)
		if dl.Event().ID != want || dl.Redeliveries() != 0 {
			t.Errorf("%s, redelivered %d times, want %s", dl.Event().ID, dl.Redeliveries(), want)
		}
		must(t, dl.Done(t.Context()))
	}
	nothing(t, d)
	if s := d.Stats(); s.Ready != 0 || s.InWork != 0 {
		t.Errorf("%+v", s)
	}
	intact(t, d)
}

func TestAnEventIsHandedOutAsItWasAccepted(t *testing.T) {
	d := started(t, Options{})
	want := fullEvent()
	_, _, err := d.Accept(t.Context(), claimOn("k", 1, 1), want, nil)
	must(t, err)
	if diff := cmp.Diff(fullEvent(), received(t, d).Event(), compareAddr); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventThatArrivesWakesWhoWaits(t *testing.T) {
	d := started(t, Options{})
	d.Prefetch(2)
	first, _ := receiving(t.Context(), d)
	askers(t, d, 1)
	second, _ := receiving(t.Context(), d)
	askers(t, d, 2)
	published(t, d, "a")
	if dl := <-first; dl.Event().ID != "a" {
		t.Error(dl.Event().ID)
	}
	published(t, d, "b")
	if dl := <-second; dl.Event().ID != "b" {
		t.Error(dl.Event().ID)
	}
	if s := d.Stats(); s.Batches != 2 {
		t.Errorf("%d transactions: an event is to be accepted and taken in one", s.Batches)
	}
}

func TestPrefetchBoundsWhatIsHandedOut(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a", "b", "c", "d", "e")
	first := received(t, d)
	nothing(t, d) // 1, when nobody said otherwise
	d.Prefetch(3)
	second, third := received(t, d), received(t, d)
	nothing(t, d)
	must(t, first.Done(t.Context()))
	fourth := received(t, d)
	d.Prefetch(-1)
	must(t, second.Done(t.Context()))
	must(t, third.Return(t.Context()))
	nothing(t, d)
	got, _ := receiving(t.Context(), d)
	askers(t, d, 1)
	must(t, fourth.Done(t.Context()))
	if dl := <-got; dl.Event().ID != "c" || dl.Redeliveries() != 0 {
		t.Errorf("%s, redelivered %d times", dl.Event().ID, dl.Redeliveries())
	}
	intact(t, d)
}

func TestWhatWasTakenAheadGoesBackWhenPrefetchIsLowered(t *testing.T) {
	d, crash := crashable(t, Options{})
	published(t, d, "a", "b", "c", "d")
	d.Prefetch(4)
	held := received(t, d)
	if s := d.Stats(); s.InWork != 4 || s.Ready != 0 {
		t.Fatalf("%+v", s)
	}
	d.Prefetch(2)
	eventually(t, "two are back", func() bool { s := d.Stats(); return s.InWork == 2 && s.Ready == 2 })
	runtime.KeepAlive(held) // or the garbage collector gives it back
	crash()
	d = again(t, d)
	d.Prefetch(4)
	for _, want := range []int{1, 1, 0, 0} {
		if dl := received(t, d); dl.Redeliveries() != want {
			t.Errorf("%s was redelivered %d times, want %d", dl.Event().ID, dl.Redeliveries(), want)
		}
	}
}

func TestWhatNobodyAsksForGoesBackAfterAMinute(t *testing.T) {
	c := newClock()
	d := unstarted(t, Options{Now: c.now})
	d.tick = time.Millisecond
	begin(t, d)
	published(t, d, "a", "b")
	d.Prefetch(2)
	dl := received(t, d)
	c.advance(time.Minute - 1*time.Millisecond)
	if s := d.Stats(); s.InWork != 2 {
		t.Errorf("%+v", s)
	}
	c.advance(time.Millisecond)
	eventually(t, "one is back", func() bool { s := d.Stats(); return s.InWork == 1 && s.Ready == 1 })
	must(t, dl.Done(t.Context()))
	if dl := received(t, d); dl.Redeliveries() != 0 {
		t.Errorf("%d redeliveries", dl.Redeliveries())
	}
}

func TestAReceiveEndsWithItsContextOrItsStore(t *testing.T) {
	d := started(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	_, errs := receiving(ctx, d)
	askers(t, d, 1)
	cancel()
	if err := <-errs; err != context.Canceled {
		t.Error(err)
	}
	if _, err := d.Receive(ctx); err != context.Canceled {
		t.Error(err)
	}
	askers(t, d, 0)

	_, errs = receiving(context.Background(), d)
	askers(t, d, 1)
	must(t, d.Close(t.Context()))
	if err := <-errs; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := d.Receive(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := unstarted(t, Options{}).Receive(t.Context()); !errors.Is(err, ErrNotStarted) {
		t.Error(err)
	}

	d, _ = crashable(t, Options{})
	_, errs = receiving(context.Background(), d)
	askers(t, d, 1)
	d.markBad(errors.New("broken"))
	if err := <-errs; !errors.Is(err, ErrBad) {
		t.Error(err)
	}
}

func TestAnEventThatIsDamagedIsPassedOver(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a", "b", "c")
	must(t, d.bolt.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketReady)).Put([]byte{7: 1}, []byte{9})
	}))
	for _, want := range []string{"b", "c"} { // and it takes no place of the prefetch
		dl := received(t, d)
		if dl.Event().ID != want {
			t.Errorf("%s, want %s", dl.Event().ID, want)
		}
		must(t, dl.Done(t.Context()))
	}
	nothing(t, d)
	must(t, d.bolt.Update(func(tx *bolt.Tx) error { // as after 21 starts
		return tx.Bucket([]byte(bucketHanded)).Put([]byte{7: 1}, []byte{3: deliveryLimit + 1})
	}))
	must(t, d.Close(t.Context()))
	d = again(t, d)
	nothing(t, d)
	if s := d.Stats(); s.Ready != 1 || d.Ready() != nil {
		t.Errorf("%+v", s)
	}
}

func TestAFileOfBeforeIsReadAndChangedOnlyWhenNeeded(t *testing.T) {
	d := started(t, Options{})
	accepted(t, d, "a")
	must(t, d.Close(t.Context()))
	d = again(t, d)
	nothingNew := func(want bool) {
		t.Helper()
		must(t, d.bolt.View(func(tx *bolt.Tx) error {
			for _, name := range []string{bucketHanded, bucketLater, bucketLaterAt} {
				if got := tx.Bucket([]byte(name)) == nil; got != want {
					t.Errorf("there is no %s: %v", name, got)
				}
			}
			return nil
		}))
	}
	nothingNew(true)
	must(t, received(t, d).Later(t.Context(), time.Hour, nil))
	nothingNew(false)
	must(t, d.Close(t.Context()))
	d = again(t, d)
	if !(counts{later: 1}).of(d) {
		t.Errorf("%+v", d.Stats())
	}
	intact(t, d)
}

func TestAllStatesCanBeLookedAt(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprint(i))
	}
	published(t, d, all...)
	d.Prefetch(6)
	var held []hook.Delivery
	for range 6 {
		held = append(held, received(t, d))
	}
	must(t, held[0].Later(t.Context(), time.Hour, nil))
	must(t, held[2].Later(t.Context(), time.Minute, &hook.Fault{Kind: hook.KindTransient}))
	must(t, held[3].Dead(t.Context(), hook.Fault{Kind: hook.KindPermanent}))
	for _, tc := range []struct {
		state hook.QueueState
		after uint64
		limit int
		want  string
	}{
		{hook.StateReady, 0, 100, "[6 7 8 9]"},
		{hook.StateReady, 7, 2, "[7 8]"},
		{hook.StateDue, 0, 100, "[0 2]"},
		{hook.StateDue, 1, 100, "[2]"},
		{hook.StateInWork, 0, 100, "[1 4 5]"},
		{hook.StateInWork, 2, 1, "[4]"},
		{hook.StateInWork, 6, 1, "[]"},
		{hook.StateInWork, math.MaxUint64, 1, "[]"},
		{hook.StateDead, 0, 100, "[3]"},
	} {
		entries, err := d.Peek(t.Context(), tc.state, tc.after, tc.limit)
		must(t, err)
		got := []string{}
		for _, e := range entries {
			got = append(got, e.Event.ID)
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%s after %d: %v, want %s", tc.state, tc.after, got, tc.want)
		}
	}
	got, err := d.Counts(t.Context())
	if want := (hook.Counts{Ready: 4, Due: 2, InWork: 3, Dead: 1, Tells: true}); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	for _, dl := range held {
		_ = dl.Return(t.Context())
	}
	if entries, err := d.Peek(t.Context(), hook.StateInWork, 0, 1); err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
}

func TestLargeEventsAreTakenAFewAtATimeAndReachAllWhoWait(t *testing.T) {
	d := started(t, Options{})
	for i := range 5 {
		ev := event(fmt.Sprint(i))
		ev.Body = make([]byte, chunkBytes/2+1)
		_, err := d.Publish(t.Context(), ev)
		must(t, err)
	}
	d.Prefetch(5)
	before := d.Stats().Batches
	var all []<-chan hook.Delivery
	d.desk.mu.Lock() // they all ask before the writer looks
	for range 5 {
		w := &waiter{got: make(chan taken, 1)}
		d.desk.waiters = append(d.desk.waiters, w)
		got := make(chan hook.Delivery, 1)
		all = append(all, got)
		go func() { got <- &delivery{db: d, ref: (<-w.got).ref} }()
	}
	d.desk.mu.Unlock()
	d.desk.poke()
	for _, got := range all {
		must(t, (<-got).Done(t.Context()))
	}
	if s := d.Stats(); s.Ready+s.InWork != 0 || s.Batches < before+3 {
		t.Errorf("%+v", s)
	}
}
