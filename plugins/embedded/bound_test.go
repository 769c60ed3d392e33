package embedded

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// fill accepts events until one is refused, and returns how many there are.
func fill(t *testing.T, d *DB) int {
	t.Helper()
	for i := range 10_000 {
		id := fmt.Sprint("fill", i)
		ev := event(id)
		ev.Body = make([]byte, 20_000)
		switch _, _, err := d.Accept(t.Context(), claimOn(hook.EventKey("h", id), 1, 1), ev, nil); {
		case err == nil:
		case errors.Is(err, ErrFull) && errors.Is(err, hook.ErrUnavailable):
			return i
		default:
			t.Fatal(err)
		}
	}
	t.Fatal("it is never full")
	return 0
}

func TestAFullStoreRefusesWhatIsNewAndNothingElse(t *testing.T) {
	d := started(t, Options{MaxSize: 2 << 20})
	open := []hook.Claim{claimOn("renewed", 1, 1), claimOn("released", 1, 1), claimOn("committed", 1, 1)}
	for _, c := range open {
		if s, _, err := d.Claim(t.Context(), c); s != hook.Ours || err != nil {
			t.Fatal(s, err)
		}
	}
	n := fill(t, d)
	s := d.Stats()
	if s.UsedBytes < s.MaxBytes/10*9 || s.UsedBytes > s.MaxBytes {
		t.Errorf("full at %d of %d", s.UsedBytes, s.MaxBytes)
	}
	if s.Ready != n {
		t.Errorf("%d ready, want %d", s.Ready, n)
	}

	ctx := t.Context()
	for name, call := range map[string]func() error{
		"publish": func() error { _, err := d.Publish(ctx, event("x")); return err },
		"park":    func() error { _, err := d.Park(ctx, event("x"), hook.Fault{}); return err },
		"accept":  func() error { _, _, err := d.Accept(ctx, claimOn("x", 1, 1), event("x"), nil); return err },
	} {
		if err := call(); !errors.Is(err, ErrFull) || !errors.Is(err, hook.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := d.Claim(ctx, claimOn("x", 1, 1)); !errors.Is(err, ErrFull) {
		t.Errorf("claim: %v", err)
	}
	if err := d.Ready(); !errors.Is(err, ErrFull) {
		t.Errorf("ready: %v", err)
	}

	if held, err := d.Renew(ctx, open[0]); !held || err != nil {
		t.Errorf("renew: %v %v", held, err)
	}
	if err := d.Release(ctx, open[1]); err != nil {
		t.Errorf("release: %v", err)
	}
	if err := d.Commit(ctx, open[2]); err != nil {
		t.Errorf("commit: %v", err)
	}
	if s, _, err := d.Claim(ctx, claimOn("committed", 2, 2)); s != hook.Committed || err != nil {
		t.Errorf("a claim of a key that is there: %v %v", s, err)
	}
	if s, _, err := d.Accept(ctx, claimOn(hook.EventKey("h", "fill0"), 2, 1), event("fill0"), nil); s != hook.Committed || err != nil {
		t.Errorf("a duplicate: %v %v", s, err)
	}
	if seen := ids(t, d, hook.StateReady); len(seen) != n {
		t.Errorf("%d can be seen of %d", len(seen), n)
	}

	d.SetMaxSize(16 << 20)
	if err := d.Ready(); err != nil {
		t.Errorf("with a larger bound: %v", err)
	}
	accepted(t, d, "x")
	d.SetMaxSize(1 << 20)
	if err := d.Ready(); !errors.Is(err, ErrFull) {
		t.Errorf("with a smaller bound: %v", err)
	}
	d.SetMaxSize(0)
	if s := d.Stats(); s.MaxBytes != DefaultMaxSize {
		t.Errorf("the default bound is %d", s.MaxBytes)
	}
	intact(t, d)
}

// The inbox of its consumer is in the same file.
func TestAFullStoreIsEmptiedByItsConsumer(t *testing.T) {
	d := started(t, Options{MaxSize: 2 << 20})
	n := fill(t, d)
	for i := range n {
		dl := received(t, d)
		c := claimOn(hook.InboxKey("h", dl.Event().ID, 0), uint8(i), 1)
		if s, _, err := d.Claim(t.Context(), c); s != hook.Ours || err != nil {
			t.Fatalf("the claim on event %d of %d: %v %v", i, n, s, err)
		}
		must(t, d.Commit(t.Context(), c))
		must(t, dl.Done(t.Context()))
	}
	if err := d.Ready(); err != nil {
		t.Error(err)
	}
	accepted(t, d, "x")
	intact(t, d)
}

// What is left of the file then is for what settles.
func TestAtItsVeryEndTheFileTakesNoClaimOfTheInboxEither(t *testing.T) {
	d := started(t, Options{MaxSize: 2 << 20})
	fill(t, d)
	d.ceiling.Store(d.used.Load() + fileSlack/2)
	if _, _, err := d.Claim(t.Context(), claimOn(hook.InboxKey("h", "x", 0), 1, 1)); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	must(t, received(t, d).Done(t.Context()))
}

func TestABatchStopsAtTheBound(t *testing.T) {
	d, at, on := held(t, Options{MaxSize: 2 << 20})
	first := acceptAsync(t.Context(), d, "first")
	<-at
	const callers = 200
	results := make(chan error, callers)
	for n := range callers {
		go func() {
			ev := event(fmt.Sprint(n))
			ev.Body = make([]byte, 64<<10)
			_, err := d.Publish(t.Context(), ev)
			results <- err
		}()
	}
	waiting(t, d, callers)
	on <- struct{}{}
	<-at
	on <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	taken := 0
	for range callers {
		switch err := <-results; {
		case err == nil:
			taken++
		case !errors.Is(err, ErrFull):
			t.Error(err)
		}
	}
	if s := d.Stats(); taken == 0 || s.Ready != taken+1 || s.UsedBytes > s.MaxBytes {
		t.Errorf("%d taken, %+v", taken, s)
	}
}

// keys commits n keys in one transaction.
func keys(t *testing.T, d *DB, n int) {
	t.Helper()
	cs := make([]hook.Claim, n)
	for i := range cs {
		cs[i] = claimOn(fmt.Sprint("key", i), 1, 1)
	}
	if err := d.Commit(t.Context(), cs...); err != nil {
		t.Fatal(err)
	}
}

func TestAStoreThatIsFullOfKeysServesAgainWhenTheyExpire(t *testing.T) {
	c := newClock()
	d := unstarted(t, Options{Now: c.now, MaxSize: 1 << 20})
	d.tick = 5 * time.Millisecond
	begin(t, d)
	keys(t, d, 9000)
	if err := d.Ready(); !errors.Is(err, ErrFull) {
		t.Fatalf("%v, %+v", err, d.Stats())
	}
	c.advance(48 * time.Hour)
	eventually(t, "the keys are gone", func() bool { return d.Stats().Keys == 0 })
	eventually(t, "it is not full", func() bool { return d.Ready() == nil })
	accepted(t, d, "e")
	intact(t, d)
	if s := d.Stats(); s.Batches < 9000/maxSweep {
		t.Errorf("%d keys in %d transactions", 9000, s.Batches)
	}
}

func TestExpiredKeysAreRemovedBesideOtherWork(t *testing.T) {
	c := newClock()
	d := unstarted(t, Options{Now: c.now})
	d.tick = time.Hour
	begin(t, d)
	keys(t, d, 100)
	c.advance(48*time.Hour - time.Millisecond)
	accepted(t, d, "before")
	if s := d.Stats(); s.Keys != 101 {
		t.Errorf("%d keys, before their time", s.Keys)
	}
	c.advance(time.Millisecond)
	for i := range 4 {
		accepted(t, d, fmt.Sprint("after", i))
	}
	if s := d.Stats(); s.Keys != 5 {
		t.Errorf("%d keys, want 5", s.Keys)
	}
	intact(t, d)
}

func TestAReleasedKeyLeavesNothingBehind(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	for range 3 {
		cl := claimOn("k", 1, 1)
		if _, _, err := d.Claim(t.Context(), cl); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Second)
		if _, err := d.Renew(t.Context(), cl); err != nil {
			t.Fatal(err)
		}
		if err := d.Release(t.Context(), cl); err != nil {
			t.Fatal(err)
		}
		if s := d.Stats(); s.Keys != 0 {
			t.Errorf("%+v", s)
		}
		intact(t, d)
	}
}

// TestAsManyKeysAreRemovedAsCome: a store that is never idle would be full of
// expired ones else.
func TestAsManyKeysAreRemovedAsCome(t *testing.T) {
	const rounds, each = 6, maxBatch
	for name, come := range map[string]func(*testing.T, *DB, int){
		"in one operation": func(t *testing.T, d *DB, round int) {
			cs := make([]hook.Claim, each)
			for i := range cs {
				cs[i] = claimOn(fmt.Sprint(round, " ", i), 1, 1)
			}
			must(t, d.Commit(t.Context(), cs...))
		},
		"in a whole batch": func(t *testing.T, d *DB, round int) {
			begun, goOn := make(chan struct{}), make(chan struct{})
			first := d.newOp(func(*batch, *op) error { close(begun); <-goOn; return nil })
			must(t, d.submit(t.Context(), first))
			<-begun
			ops := []*op{first}
			for i := range each {
				o := d.newOp((*batch).commitAll)
				must(t, o.addClaim(claimOn(fmt.Sprint(round, " ", i), 1, 1), true, nil))
				must(t, d.submit(t.Context(), o))
				ops = append(ops, o)
			}
			close(goOn)
			for _, o := range ops {
				_, err := d.await(context.Background(), o)
				must(t, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			d := unstarted(t, Options{Now: c.now})
			d.tick = time.Hour
			begin(t, d)
			for round := range rounds {
				come(t, d, round)
				c.advance(48 * time.Hour)
			}
			if n := d.Stats().Keys; n > 2*each {
				t.Errorf("%d keys after %d rounds of %d that have all expired but the last", n, rounds, each)
			}
			intact(t, d)
		})
	}
}
