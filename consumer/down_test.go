package consumer

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

func TestAnOutageCostsNoAttemptAndEndsByItself(t *testing.T) {
	inBubble(t, func(r *rig) {
		var at crowd
		r.on(func(context.Context, *hook.Event) error {
			at.stay(10 * time.Millisecond)
			return &hook.Fault{Kind: hook.KindTransient, Message: "the downstream answered 401", Status: 401}
		})
		r.queue.put(events(0, 2000)...)
		r.start(carefulFor)
		time.Sleep(time.Second - time.Millisecond)
		if !r.c.Status().Outage {
			t.Fatal("no outage")
		}
		before := len(r.handled())
		if before > 8+4 { // the concurrency, and what begins before the fifth has failed
			t.Errorf("%d attempts until it was noticed", before)
		}
		at.peak()
		time.Sleep(48 * time.Hour)
		probes := len(r.handled()) - before
		if most := at.peak(); probes < 48*60*2*95/100 || probes > 48*60*2*11/10 || most > 1 {
			t.Errorf("%d probes, %d at once", probes, most)
		}
		r.want("letters", r.queue.count("dead"), 0)
		r.on(nil)
		time.Sleep(time.Minute)
		r.want("done", r.queue.count("done"), 2000)
		if r.c.Status().Outage {
			t.Error("still an outage")
		}
		attempts := 0
		for _, it := range r.queue.items {
			attempts += it.ev.Attempt
		}
		if attempts > 7 {
			t.Errorf("%d attempts were counted", attempts)
		}
		w := r.src.asked()
		r.want("windows", w, []int{32, 1, 32})
	})
}

func TestABadEventDoesNotEndAnOutageNorProlongIt(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(_ context.Context, ev *hook.Event) error {
			if ev.ID == "bad" {
				return &hook.Fault{Kind: hook.KindPermanent, Message: "the downstream answered 400", Status: 400}
			}
			return err503
		})
		r.queue.put(events(0, 5)...)
		r.start(carefulFor)
		if !r.c.Status().Outage {
			t.Fatal("no outage")
		}
		r.queue.put(event("bad"))
		time.Sleep(10 * time.Minute)
		r.want("letters", r.queue.count("dead"), 1)
		if !r.c.Status().Outage {
			t.Error("it ended the outage")
		}
		r.on(nil)
		time.Sleep(time.Minute)
		r.want("done", r.queue.count("done"), 5)
	})
}

func TestNothingIsProcessedWhileTheInboxIsDown(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.inbox.setError(errors.New("down"))
		r.queue.put(events(0, 50)...)
		r.start(carefulFor)
		time.Sleep(time.Hour)
		r.want("calls", len(r.handled()), 0)
		for _, it := range r.queue.items {
			if it.redeliveries > 1 || it.ev.Attempt > 0 {
				t.Fatalf("%s was redelivered %d times and has %d attempts", it.ev.ID, it.redeliveries, it.ev.Attempt)
			}
		}
		if _, down := r.c.gate.down(); !down {
			t.Error("it does not know")
		}
		r.inbox.setError(nil)
		time.Sleep(31 * time.Second)
		r.want("done", r.queue.count("done"), 50)
		r.want("calls", len(r.handled()), 50)
	})
}

func TestAnEffectWhoseRecordFailsIsNotRepeated(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error {
			r.inbox.setError(errors.New("down")) // between effect and record
			return nil
		})
		r.queue.put(event("a"), event("a"))
		r.start(carefulFor)
		time.Sleep(2 * time.Minute)
		r.want("done", r.queue.count("done"), 0)
		r.on(nil)
		r.inbox.setError(nil)
		time.Sleep(time.Minute)
		r.want("done", r.queue.count("done"), 2)
		r.want("calls", len(r.handled()), 1)
	})
}

func TestAnEffectThatCannotBeRecordedAtAllIsDoneAllTheSame(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error { r.inbox.setError(errors.New("down")); return nil })
		r.queue.put(event("a"))
		r.start(0)
		time.Sleep(6 * time.Minute)
		r.want("done", r.queue.count("done"), 1)
		if !r.logged("the inbox could not be told") {
			t.Error("nobody was told")
		}
		r.inbox.setError(nil)
	})
}

func TestAQueueThatIsNotToldHandsTheEventOutAgain(t *testing.T) {
	for _, how := range []string{"done", "later 5s", "dead permanent"} {
		t.Run(how, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				failures := 3
				r.queue.trouble = func(_ *delivery, h string, _ time.Duration) trouble {
					if h != how || failures == 0 {
						return trouble{}
					}
					failures--
					return trouble{Fail: true}
				}
				r.on(func(context.Context, *hook.Event) error {
					switch how {
					case "later 5s":
						return err503
					case "dead permanent":
						return &hook.Fault{Kind: hook.KindPermanent}
					}
					return nil
				})
				r.queue.put(event("a"))
				r.start(carefulFor)
				time.Sleep(2 * time.Second)
				r.want("in the beginning", r.queue.history(), []string{"return", "return"}) // after 0 and 1 seconds, and next after 3
				time.Sleep(6 * time.Second)
				r.want("in the end", r.queue.history(), []string{"return", "return", "return", how})
				if how == "done" {
					r.want("calls", len(r.handled()), 1)
				}
				r.on(nil)
			})
		})
	}
}

func TestATierThatIsMissingIsReplacedByAnother(t *testing.T) {
	for _, why := range []error{hook.ErrRefused, hook.ErrUnavailable} { // found out now, or known before
		t.Run(why.Error(), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.src.q.trouble = nil
				r.opts.Source = refusing{r.src, why}
				r.on(func(context.Context, *hook.Event) error { return err503 })
				r.queue.put(event("a"))
				r.start(0)
				r.want("history", r.queue.history(), []string{"later 30s"})
				r.on(nil)
			})
		})
	}
}

// refusing is a source whose first tier is missing.
type refusing struct {
	*source
	why error
}

func (s refusing) Receive(ctx context.Context) (hook.Delivery, error) {
	d, err := s.source.Receive(ctx)
	if err != nil {
		return nil, err
	}
	return refusingDelivery{d, s.why}, nil
}

type refusingDelivery struct {
	hook.Delivery
	why error
}

func (d refusingDelivery) Later(ctx context.Context, after time.Duration, f *hook.Fault) error {
	if after == 5*time.Second {
		return fmt.Errorf("%w: no route", d.why)
	}
	return d.Delivery.Later(ctx, after, f)
}
