package accept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// forward runs a forwarder until stop is called.
func (r *spoolRig) forward(change ...func(*ForwarderOptions)) (stop func()) {
	r.t.Helper()
	opts := ForwarderOptions{From: r.shelf, To: r.primary, Backlog: r.backlog, Logger: r.logger}
	for _, c := range change {
		c(&opts)
	}
	f, err := NewForwarder(opts)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

// fill puts events into the local queue.
func (r *spoolRig) fill(n int, change ...func(i int, ev *hook.Event)) (ids []string) {
	r.t.Helper()
	for i := range n {
		ev := event(fmt.Sprintf("evt_%d", i))
		for _, c := range change {
			c(i, ev)
		}
		if _, err := r.shelf.Publish(context.Background(), ev); err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, ev.ID)
	}
	return ids
}

// serial is a primary queue that takes several events at once, in their order.
type serial struct {
	*fakePrimary
	most atomic.Int64 // events on their way at once
}

func (q *serial) PublishAll(ctx context.Context, events []hook.Outgoing) []error {
	q.most.Store(max(q.most.Load(), int64(len(events))))
	errs := make([]error, len(events))
	for i, e := range events {
		errs[i] = q.take(ctx, e.Event, e.Fault)
	}
	return errs
}

func TestTheForwarderMovesEverythingInItsOrder(t *testing.T) {
	for _, inSeries := range []bool{false, true} {
		t.Run(fmt.Sprint("in series ", inSeries), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSpoolRig(t)
				ids := r.fill(500)
				f := hook.Fault{Kind: hook.KindConflict, Message: "m"}
				if _, err := r.shelf.Park(t.Context(), event("letter"), f); err != nil {
					t.Fatal(err)
				}
				to := &serial{fakePrimary: r.primary}
				stop := r.forward(func(o *ForwarderOptions) {
					if inSeries {
						o.To = to
					}
				})
				time.Sleep(2 * time.Second)
				stop()
				got := r.primary.ids()
				i := slices.Index(got, "letter")
				if i < 0 || !slices.Equal(slices.Delete(got, i, i+1), ids) {
					t.Errorf("got %v", got)
				}
				if r.primary.faults["letter"].Kind != hook.KindConflict || len(r.primary.faults) != 1 {
					t.Errorf("the letters are %v", r.primary.faults)
				}
				if r.shelf.len() != 0 || r.backlog.Stats().Forwarded != 501 {
					t.Errorf("%d are left, %+v", r.shelf.len(), r.backlog.Stats())
				}
				if inSeries && to.most.Load() != 64 {
					t.Errorf("%d at once", to.most.Load())
				}
				if lines := r.logs.TakeAll(); len(lines) != 2 { // the begin and the end
					t.Errorf("logged %v", lines)
				}
			})
		})
	}
}

func TestTheForwarderKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.fill(1000)
		stop := r.forward(func(o *ForwarderOptions) { o.Rate, o.Outstanding = 100, 10 })
		time.Sleep(5 * time.Second)
		stop()
		if n := len(r.primary.ids()); n < 490 || n > 520 {
			t.Errorf("%d in five seconds", n)
		}
	})
}

func TestTheForwarderWaitsForAQueueThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.primary.set(errors.New("down"), nil)
		ids := r.fill(200)
		stop := r.forward()
		defer stop()
		time.Sleep(10 * time.Minute)
		if n := r.primary.called(); n > 1000 || n < 100 { // at most 64 at once, one in 2.5 s then
			t.Errorf("tried %d times in ten minutes", n)
		}
		if reads := r.shelf.read(); reads > 20000 {
			t.Errorf("%d entries were read in ten minutes", reads)
		}
		r.primary.set(nil, nil)
		time.Sleep(7 * time.Second)
		if got := r.primary.ids(); !slices.Equal(got, ids) {
			t.Errorf("got %d of %d, or in another order", len(got), len(ids))
		}
	})
}

func TestAQueueThatTakesNothingDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		gone := func(_ context.Context, ev *hook.Event) error {
			if ev.Queue == "gone" {
				return hook.ErrRefused
			}
			return nil
		}
		r.primary.set(nil, gone)
		r.fill(300, func(i int, ev *hook.Event) {
			if i < 200 || i%2 == 0 {
				ev.Queue = "gone"
			}
		})
		var told []string
		stop := r.forward(func(o *ForwarderOptions) {
			o.Expect = func(queue string, _ bool) { told = append(told, queue) }
		})
		time.Sleep(time.Second)
		if n := len(r.primary.ids()); n != 50 {
			t.Fatalf("%d of 50 others were taken", n)
		}
		time.Sleep(time.Hour)
		if reads := r.shelf.read(); reads > 300000 {
			t.Errorf("%d entries were read in an hour", reads)
		}
		r.primary.set(nil, nil)
		time.Sleep(7 * time.Second)
		stop()
		got := r.primary.ids()[50:]
		if len(got) != 250 || !slices.IsSortedFunc(got, byNumber) {
			t.Errorf("then %d were taken, or in another order: %v", len(got), got)
		}
		if !slices.Equal(told, []string{"gone"}) {
			t.Errorf("told of %v", told)
		}
		if n := strings.Count(fmt.Sprint(r.logs.TakeAll()), "are not taken"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

func byNumber(a, b string) int {
	var x, y int
	_, _ = fmt.Sscanf(a, "evt_%d", &x)
	_, _ = fmt.Sscanf(b, "evt_%d", &y)
	return x - y
}

func TestOneEventThatIsNeverTakenDoesNotHoldUpTheOthers(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  func(ctx context.Context) error
	}{
		{"it is refused", func(context.Context) error { return hook.ErrRefused }},
		{"it is no message at all", func(context.Context) error { return errors.New("unfit") }},
		{"it ends the channel", func(context.Context) error {
			fate := make(chan error)
			close(fate)
			return &hook.InDoubt{Cause: errLost, Fate: fate}
		}},
		{"it is never confirmed", func(ctx context.Context) error { <-ctx.Done(); return &hook.InDoubt{Cause: ctx.Err()} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSpoolRig(t)
				ids := r.fill(200)
				poison := func(ctx context.Context, ev *hook.Event) error {
					if ev.ID == "evt_3" {
						return tc.err(ctx)
					}
					return nil
				}
				r.primary.set(nil, poison)
				stop := r.forward(func(o *ForwarderOptions) { o.To = &serial{fakePrimary: r.primary} })
				time.Sleep(time.Minute)
				if got := r.shelf.spooled(); !slices.Equal(got, []string{"evt_3"}) {
					t.Fatalf("left: %v", got)
				}
				s := r.backlog.Stats()
				if s.PutOff != 1 {
					t.Errorf("%d are put off", s.PutOff)
				}
				time.Sleep(24 * time.Hour)
				if n := r.primary.called(); n > 200+1000 {
					t.Errorf("tried %d times in a day", n)
				}
				r.primary.set(nil, nil) // it is kept until it can go
				time.Sleep(lastAside + lastAside/10)
				stop()
				if got := r.primary.ids(); len(got) != len(ids) {
					t.Errorf("got %d of %d", len(got), len(ids))
				}
				if s := r.backlog.Stats(); s.PutOff != 0 {
					t.Errorf("%d are still put off", s.PutOff)
				}
			})
		})
	}
}

func TestAnEntryThatCannotBeReadStaysAndIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.fill(100)
		r.shelf.damaged[5], r.shelf.damaged[6] = true, true
		stop := r.forward()
		time.Sleep(time.Hour)
		stop()
		if n := len(r.primary.ids()); n != 98 {
			t.Errorf("%d of 98 others", n)
		}
		if s := r.backlog.Stats(); s.Failed[Damaged] != 2 {
			t.Errorf("%d are counted", s.Failed[Damaged])
		}
	})
}

func TestWhatTurnsOutToBeTakenIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.fill(1)
		r.primary.set(nil, func(ctx context.Context, ev *hook.Event) error {
			fate := make(chan error, 1)
			<-ctx.Done()
			r.primary.keep(ev, nil)
			fate <- nil
			return &hook.InDoubt{Cause: ctx.Err(), Fate: fate}
		})
		stop := r.forward()
		time.Sleep(time.Minute)
		stop()
		if got := r.primary.ids(); len(got) != 1 || r.shelf.len() != 0 {
			t.Errorf("there are %v there, and %v here", got, r.shelf.spooled())
		}
	})
}

func TestWhatWasForwardedIsNotSentAgainWhileItCannotBeRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.fill(3)
		bad := errors.New("the disk is bad")
		r.primary.set(nil, func(context.Context, *hook.Event) error {
			r.shelf.setError(bad) // from now on
			return nil
		})
		stop := r.forward(func(o *ForwarderOptions) { o.To = &serial{fakePrimary: r.primary} })
		defer stop()
		time.Sleep(time.Hour)
		if n := len(r.primary.ids()); n != 3 {
			t.Errorf("%d were sent", n)
		}
		r.shelf.setError(nil)
		time.Sleep(10 * time.Second)
		if n := len(r.primary.ids()); n != 3 || r.shelf.len() != 0 {
			t.Errorf("%d were sent, and %d are left", n, r.shelf.len())
		}
	})
}

func TestWhatIsOnItsWayAtTheEndIsConfirmedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.fill(100)
		r.primary.set(nil, func(context.Context, *hook.Event) error { time.Sleep(time.Second); return nil })
		stop := r.forward(func(o *ForwarderOptions) { o.Outstanding = 1 })
		time.Sleep(1500 * time.Millisecond)
		begin := time.Now()
		stop()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it took %s to end", took)
		}
		if n := len(r.primary.ids()); n != 2 || r.shelf.len() != 98 {
			t.Errorf("%d are there and %d here", n, r.shelf.len())
		}
		// One that hangs is given up, and stays.
		r.primary.set(nil, stalledUntil(nil))
		stop = r.forward()
		time.Sleep(time.Second)
		begin = time.Now()
		stop()
		if took := time.Since(begin); took > stopTime {
			t.Errorf("it took %s to end", took)
		}
		if r.shelf.len() != 98 {
			t.Errorf("%d are here", r.shelf.len())
		}
	})
}

func TestWhatComesBackIntoTheQueueIsForwardedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSpoolRig(t)
		r.fill(10)
		r.shelf.mu.Lock()
		away := r.shelf.ready[3] // in work, or due later, with a consumer that was here before
		delete(r.shelf.ready, 3)
		r.shelf.mu.Unlock()
		r.primary.set(nil, func(_ context.Context, ev *hook.Event) error {
			if ev.ID == "evt_9" {
				return errors.New("unfit") // so that the spool is not empty meanwhile
			}
			return nil
		})
		stop := r.forward()
		defer stop()
		time.Sleep(time.Second)
		r.shelf.mu.Lock()
		r.shelf.ready[3] = away
		r.shelf.mu.Unlock()
		time.Sleep(searchEvery + time.Second)
		if !slices.Contains(r.primary.ids(), "evt_2") {
			t.Errorf("got %v", r.primary.ids())
		}
	})
}
