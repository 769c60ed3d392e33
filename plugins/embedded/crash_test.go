package embedded

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// crashable returns a DB that can end as if its process were killed.
func crashable(t testing.TB, opts Options) (d *DB, crash func()) {
	t.Helper()
	d = unstarted(t, opts)
	var crashed atomic.Bool
	d.commit = func(tx *bolt.Tx) error {
		if crashed.Load() {
			return errors.Join(tx.Rollback(), syscall.EIO)
		}
		return tx.Commit()
	}
	begin(t, d)
	return d, func() {
		crashed.Store(true)
		must(t, d.Close(context.Background()))
	}
}

// again opens the file of a DB that is closed.
func again(t testing.TB, d *DB) *DB {
	t.Helper()
	return started(t, Options{Path: d.path, Now: d.now})
}

func TestACrashHandsOutAgainAndCountsAndInTheEndGivesUp(t *testing.T) {
	c := newClock()
	d, crash := crashable(t, Options{Now: c.now})
	published(t, d, "poison", "good")
	for n := range deliveryLimit + 1 {
		dl := received(t, d)
		if dl.Event().ID != "poison" || dl.Redeliveries() != n {
			t.Fatalf("%s, redelivered %d times, want %d", dl.Event().ID, dl.Redeliveries(), n)
		}
		crash()
		d, crash = crashable(t, Options{Path: d.path, Now: c.now})
		if s := d.Stats(); s.Ready != 2 || s.InWork != 0 {
			t.Fatalf("%+v", s)
		}
	}
	dl := received(t, d)
	if dl.Event().ID != "good" || dl.Redeliveries() != 0 {
		t.Errorf("%s, redelivered %d times", dl.Event().ID, dl.Redeliveries())
	}
	entries, err := d.Peek(t.Context(), hook.StateDead, 0, 2)
	must(t, err)
	if len(entries) != 1 || entries[0].Event.ID != "poison" || entries[0].Fault.Kind != hook.KindPoison || !entries[0].Fault.First.Equal(c.now()) {
		t.Errorf("%+v", entries)
	}
	intact(t, d)
}

func TestAttemptsAreNotCountedAsRedeliveries(t *testing.T) {
	d, crash := crashable(t, Options{})
	published(t, d, "a")
	received(t, d)
	crash()
	d = again(t, d)
	dl := received(t, d)
	must(t, dl.Return(t.Context()))
	dl = received(t, d)
	if dl.Redeliveries() != 1 {
		t.Errorf("after it was handed back: %d", dl.Redeliveries())
	}
	must(t, dl.Later(t.Context(), 0, &hook.Fault{Kind: hook.KindTransient}))
	if dl = received(t, d); dl.Redeliveries() != 0 || dl.Event().Attempt != 1 {
		t.Errorf("after it failed: %d", dl.Redeliveries())
	}
}

func TestClosingCountsWhatWasHandedOutAndNothingElse(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a", "b")
	d.Prefetch(2)
	dl := received(t, d)
	must(t, d.Close(t.Context()))
	for name, err := range map[string]error{"done": dl.Done(t.Context()), "return": dl.Return(t.Context())} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d = again(t, d)
	d.Prefetch(2)
	for _, want := range []int{1, 0} {
		if dl := received(t, d); dl.Redeliveries() != want {
			t.Errorf("%s was redelivered %d times, want %d", dl.Event().ID, dl.Redeliveries(), want)
		}
	}
}
