package accept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
)

// spoolRig is a spool over two queues of a test.
type spoolRig struct {
	t       *testing.T
	primary *fakePrimary
	shelf   *fakeShelf
	backlog *Backlog
	spool   *Spool
	logs    *observer.ObservedLogs
	logger  *zap.Logger
}

func newSpoolRig(t *testing.T) *spoolRig {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	r := &spoolRig{t: t, primary: newFakePrimary(), shelf: newFakeShelf(), backlog: NewBacklog(), logs: logs, logger: zap.New(core)}
	var err error
	if r.spool, err = NewSpool(SpoolOptions{Primary: r.primary, Local: r.shelf, Backlog: r.backlog, Logger: r.logger}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.spool.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func event(id string) *hook.Event { return &hook.Event{ID: id, Hook: "h"} }

// budget is what a request has.
const budget = 480 * time.Millisecond

// publish publishes as a request does.
func (r *spoolRig) publish(ev *hook.Event) (hook.Receipt, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	begin := time.Now()
	receipt, err := r.spool.Publish(ctx, ev)
	return receipt, time.Since(begin), err
}

// mustSpool publishes what the spool has to keep.
func (r *spoolRig) mustSpool(ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		if receipt, _, err := r.publish(event(id)); err != nil || !receipt.Local {
			r.t.Fatalf("%s: %+v, %v", id, receipt, err)
		}
	}
}

func TestASpoolKeepsHereWhatThePrimaryQueueDoesNotTake(t *testing.T) {
	lost := func(context.Context, *hook.Event) error {
		fate := make(chan error)
		close(fate)
		return &hook.InDoubt{Cause: errLost, Fate: fate}
	}
	down := errors.New("down")
	for _, tc := range []struct {
		name   string
		down   error
		answer func(context.Context, *hook.Event) error
		local  bool
		took   time.Duration
		calls  int
	}{
		{name: "it takes the event", calls: 1},
		{name: "it is down", down: down, local: true},
		{name: "it refuses the event", answer: refusing, local: true, calls: 1},
		{name: "it fails before it has written", answer: func(context.Context, *hook.Event) error { return hook.ErrUnavailable }, local: true, calls: 1},
		{name: "it is in doubt because the connection is lost", answer: lost, local: true, calls: 1},
		{name: "it is in doubt because half of the time is over", answer: stalledUntil(nil), local: true, calls: 1, took: budget / 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSpoolRig(t)
				r.primary.set(tc.down, tc.answer)
				receipt, took, err := r.publish(event("evt_1"))
				if err != nil || receipt.Local != tc.local || took != tc.took {
					t.Errorf("got %+v, %v after %s", receipt, err, took)
				}
				if r.primary.called() != tc.calls {
					t.Errorf("the primary queue was tried %d times", r.primary.called())
				}
				if r.shelf.len() == 1 != tc.local || len(r.primary.ids()) == 1 == tc.local {
					t.Errorf("here %v, there %v", r.shelf.spooled(), r.primary.ids())
				}
				if n := r.backlog.Stats().Spooled; n == 1 != tc.local {
					t.Errorf("%d were counted", n)
				}
			})
		})
	}
}

func TestALetterIsSpooledWithItsFault(t *testing.T) {
	r := newSpoolRig(t)
	r.primary.set(errors.New("down"), nil)
	f := hook.Fault{Kind: hook.KindInvalid, Message: "m", Violations: []hook.Violation{{Pointer: "/a", Code: "missing"}}}
	receipt, err := r.spool.Park(t.Context(), event("evt_1"), f)
	if err != nil || !receipt.Local {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if kept := r.shelf.dead[receipt.Seq].Fault; kept == nil || kept.Kind != f.Kind || len(kept.Violations) != 1 {
		t.Errorf("kept with %+v", kept)
	}
}

func TestWhereNeitherQueueTakesAnEventTheErrorIsHonest(t *testing.T) {
	full := fmt.Errorf("%w: full", hook.ErrUnavailable)
	taken, refused := make(chan error, 1), make(chan error, 1)
	taken <- nil
	refused <- hook.ErrRefused
	for _, tc := range []struct {
		name   string
		answer func(context.Context, *hook.Event) error
		local  error
		want   hook.Code
		fate   func(fate <-chan error) bool
	}{
		{"both definitely not", refusing, full, hook.CodeQueueUnavailable, nil},
		{"it may be in the primary one", stalledUntil(taken), full, hook.CodeOutcomeUnknown, func(fate <-chan error) bool {
			err, known := <-fate
			return known && err == nil
		}},
		{"it may be in the local one", refusing, &hook.InDoubt{Cause: errLost}, hook.CodeOutcomeUnknown, func(fate <-chan error) bool { return fate == nil }},
		{"it may be in either, and is not in the primary one", stalledUntil(refused), &hook.InDoubt{Cause: errLost}, hook.CodeOutcomeUnknown, func(fate <-chan error) bool {
			_, known := <-fate
			return !known // the other may have it
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newSpoolRig(t)
			r.primary.set(nil, tc.answer)
			r.shelf.next = tc.local
			_, _, err := r.publish(event("evt_1"))
			if hook.CodeOf(err) != tc.want {
				t.Fatalf("got %v", err)
			}
			doubt, ok := errors.AsType[*hook.InDoubt](err)
			if tc.fate != nil && (!ok || !tc.fate(doubt.Fate)) {
				t.Errorf("its fate is another: %v", err)
			}
		})
	}
}

func TestAnEventThatCannotBePublishedAtAllIsNotSpooled(t *testing.T) {
	r := newSpoolRig(t)
	unfit := errors.New("the routing key is too long")
	r.primary.set(nil, func(context.Context, *hook.Event) error { return unfit })
	if _, _, err := r.publish(event("evt_1")); !errors.Is(err, unfit) || r.shelf.len() != 0 {
		t.Errorf("got %v, kept %v", err, r.shelf.spooled())
	}
}

func TestAPrimaryQueueThatHasFailedIsNotWaitedForByEachEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.primary.set(nil, stalledUntil(nil))
		r.mustSpool("evt_1")
		for n := range 100 {
			if _, took, _ := r.publish(event(fmt.Sprint("next_", n))); took != 0 {
				t.Fatalf("event %d waited for %s", n, took)
			}
		}
		if n := r.primary.called(); n != 1 {
			t.Errorf("it was tried %d times", n)
		}
		r.primary.set(nil, nil)
		time.Sleep(time.Second)
		if receipt, _, err := r.publish(event("after")); err != nil || receipt.Local {
			t.Errorf("a second later: %+v, %v", receipt, err)
		}
	})
}

func TestAQueueOfItsOwnIsNoMatterToOtherEvents(t *testing.T) {
	r := newSpoolRig(t)
	named := func(id, queue string) *hook.Event { ev := event(id); ev.Queue = queue; return ev }
	r.primary.set(nil, func(_ context.Context, ev *hook.Event) error {
		if ev.Queue == "gone" {
			return hook.ErrRefused
		}
		return nil
	})
	for _, tc := range []struct {
		ev    *hook.Event
		local bool
	}{{named("evt_1", "gone"), true}, {named("evt_2", "gone"), true}, {event("evt_3"), false}, {named("evt_4", "there"), false}} {
		if receipt, _, err := r.publish(tc.ev); err != nil || receipt.Local != tc.local {
			t.Errorf("%s: %+v, %v", tc.ev.ID, receipt, err)
		}
	}
	// What the primary queue says of itself is not said of queues by name.
	r.primary.set(errors.New("its own queue is full"), nil)
	before := r.primary.called()
	_, _, _ = r.publish(named("evt_5", "there"))
	if r.primary.called() != before+1 {
		t.Error("the queue by name was not tried")
	}
}

func TestACopyIsTakenBackWhenThePrimaryQueueHasTheEvent(t *testing.T) {
	for _, tc := range []struct {
		name string
		fate func(chan error)
		left int
	}{
		{"taken", func(c chan error) { c <- nil }, 0},
		{"refused", func(c chan error) { c <- hook.ErrRefused }, 1},
		{"never to be known", func(c chan error) { close(c) }, 1},
		{"not known yet", func(chan error) {}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSpoolRig(t)
				fate := make(chan error, 1)
				r.primary.set(nil, stalledUntil(fate))
				r.mustSpool("evt_1")
				r.primary.set(errors.New("down"), nil)
				r.mustSpool("evt_2") // never in doubt: it stays
				tc.fate(fate)
				synctest.Wait()
				if n := r.shelf.len(); n != tc.left+1 {
					t.Errorf("there are %v", r.shelf.spooled())
				}
			})
		})
	}
}

func TestWithoutItsLocalQueueASpoolIsThePrimaryQueueAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.shelf.setError(errors.New("bad disk"))
		slow := func(d time.Duration) func(ctx context.Context, _ *hook.Event) error {
			return func(ctx context.Context, _ *hook.Event) error {
				select {
				case <-time.After(d):
					return nil
				case <-ctx.Done():
					return &hook.InDoubt{Cause: ctx.Err()}
				}
			}
		}
		r.primary.set(nil, slow(budget*3/4))
		if receipt, _, err := r.publish(event("evt_1")); err != nil || receipt.Local {
			t.Errorf("it has not all of the time: %+v, %v", receipt, err)
		}
		r.primary.set(nil, refusing)
		if _, _, err := r.publish(event("evt_2")); hook.CodeOf(err) != hook.CodeQueueUnavailable {
			t.Errorf("got %v", err)
		}
		r.primary.set(nil, slow(0)) // well again, within the second in which it is not tried
		if receipt, _, err := r.publish(event("evt_3")); err != nil || receipt.Local {
			t.Errorf("it was not tried: %+v, %v", receipt, err)
		}
	})
}

func TestASpoolIsReadyWhereOneOfItsQueuesIs(t *testing.T) {
	r := newSpoolRig(t)
	down, bad := errors.New("down"), errors.New("bad disk")
	for _, tc := range []struct{ primary, local error }{{nil, nil}, {down, nil}, {nil, bad}, {down, bad}} {
		r.primary.set(tc.primary, nil)
		r.shelf.setError(tc.local)
		err := r.spool.Ready()
		if both := tc.primary != nil && tc.local != nil; (err != nil) != both || both && (!errors.Is(err, down) || !errors.Is(err, bad)) {
			t.Errorf("%v, %v: %v", tc.primary, tc.local, err)
		}
	}
}

func TestTheBeginOfSpoolingIsLoggedOnce(t *testing.T) {
	r := newSpoolRig(t)
	r.primary.set(errors.New("down"), nil)
	r.mustSpool("evt_1", "evt_2", "evt_3")
	if lines := r.logs.TakeAll(); len(lines) != 1 || lines[0].Level != zapcore.WarnLevel {
		t.Errorf("logged %v", lines)
	}
}

func TestASpoolCostsAlmostNothingOnAGoodDay(t *testing.T) {
	r := newSpoolRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	ev := event("evt_1")
	direct := testing.AllocsPerRun(100, func() { _, _ = r.primary.Publish(ctx, ev) })
	spooled := testing.AllocsPerRun(100, func() { _, _ = r.spool.Publish(ctx, ev) })
	if more := spooled - direct; more > 5 { // a context with its timer
		t.Errorf("%v more allocations", more)
	}
	if !slices.Equal(r.shelf.spooled(), nil) {
		t.Error("something was spooled")
	}
}
