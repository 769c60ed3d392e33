package embedded

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// failing returns a DB whose transactions end as the switch says.
func failing(t *testing.T, err error) (d *DB, on *atomic.Bool) {
	t.Helper()
	d, on = unstarted(t, Options{}), new(atomic.Bool)
	d.tick = time.Millisecond
	d.commit = func(tx *bolt.Tx) error {
		if on.Load() {
			return errors.Join(tx.Rollback(), err)
		}
		return tx.Commit()
	}
	begin(t, d)
	return d, on
}

func TestAFullDiskHandsOutAgainWhenThereIsSpace(t *testing.T) {
	d, full := failing(t, writeError(syscall.ENOSPC))
	published(t, d, "done", "later", "dead", "sixth")
	parked(t, d, "letter")
	d.Prefetch(3)
	var held []hook.Delivery
	for range 3 {
		held = append(held, received(t, d))
	}
	full.Store(true)
	ctx := context.Background()
	for name, err := range map[string]error{
		"done":  held[0].Done(ctx),
		"later": held[1].Later(ctx, 0, &hook.Fault{Kind: hook.KindTransient}),
		"dead":  held[2].Dead(ctx, hook.Fault{Kind: hook.KindPermanent}),
	} {
		if _, doubt := errors.AsType[*hook.InDoubt](err); doubt || !errors.Is(err, ErrFull) || !errors.Is(err, hook.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := swept(t, d, map[string]hook.Action{"letter": hook.Send}); !errors.Is(err, ErrFull) {
		t.Errorf("sweep: %v", err)
	}
	for _, dl := range held {
		must(t, dl.Return(ctx))
	}
	got, errs := receiving(ctx, d)
	askers(t, d, 1)
	nothing(t, d)
	if len(got) > 0 || len(errs) > 0 {
		t.Error("something was handed out that is not noted on disk")
	}
	full.Store(false)
	if dl := <-got; dl.Event().ID != "done" || dl.Event().Attempt != 0 {
		t.Errorf("%+v", dl.Event())
	} else {
		must(t, dl.Done(ctx))
	}
	for _, want := range []string{"later", "dead", "sixth"} {
		dl := received(t, d)
		if dl.Event().ID != want {
			t.Errorf("%s, want %s", dl.Event().ID, want)
		}
		must(t, dl.Done(ctx))
	}
	if !(counts{dead: 1}).of(d) {
		t.Errorf("%+v", d.Stats())
	}
	intact(t, d)
}

func TestWhatSettlesIsDoneWhenThereIsNoSpaceToTakeMore(t *testing.T) {
	d := unstarted(t, Options{})
	var short atomic.Bool
	var failed atomic.Int32
	d.tick = time.Hour
	d.commit = func(tx *bolt.Tx) error {
		if short.Load() && failed.Add(1) == 1 { // as if taking were what is too much
			return errors.Join(tx.Rollback(), writeError(syscall.ENOSPC))
		}
		return tx.Commit()
	}
	begin(t, d)
	published(t, d, "a", "b")
	dl := received(t, d)
	got, _ := receiving(t.Context(), d)
	askers(t, d, 1)
	short.Store(true)
	must(t, dl.Done(t.Context()))
	if len(got) != 0 || d.Stats().Ready != 1 {
		t.Errorf("%+v", d.Stats())
	}
	d.desk.poke()
	if dl := <-got; dl.Event().ID != "b" || dl.Redeliveries() != 0 {
		t.Errorf("%s, redelivered %d times", dl.Event().ID, dl.Redeliveries())
	}
	intact(t, d)
}

func TestAnFsyncErrorEndsConsuming(t *testing.T) {
	d, broken := failing(t, syscall.EIO)
	published(t, d, "a", "b", "c")
	parked(t, d, "letter")
	d.Prefetch(2)
	first, second := received(t, d), received(t, d)
	_, errs := receiving(context.Background(), d)
	askers(t, d, 1)
	broken.Store(true)
	doubt, ok := errors.AsType[*hook.InDoubt](first.Done(context.Background()))
	if !ok || !errors.Is(doubt, ErrBad) {
		t.Errorf("the one that was being settled: %v", doubt)
	}
	if err := <-errs; !errors.Is(err, ErrBad) {
		t.Errorf("who waits: %v", err)
	}
	_, receive := d.Receive(context.Background())
	_, sweep := swept(t, d, map[string]hook.Action{"letter": hook.Discard})
	for name, err := range map[string]error{
		"receive": receive,
		"sweep":   sweep,
		"done":    second.Done(context.Background()),
		"return":  second.Return(context.Background()),
	} {
		if !errors.Is(err, ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ids, err := swept(t, d, nil); err != nil || len(ids) != 1 {
		t.Errorf("looking at the letters: %v %v", ids, err)
	}
}
