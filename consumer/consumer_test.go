package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate/hook"
)

func TestEventsAreProcessedAndRecorded(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.queue.put(events(0, 100)...)
		r.start(0)
		r.want("done", r.queue.count("done"), 100)
		r.want("calls", len(r.handled()), 100)
		for _, ev := range events(0, 100) {
			if !r.inbox.committed(inboxKey(ev)) {
				t.Fatal(ev.ID, "is not in the inbox")
			}
		}
		r.want("windows", r.src.asked(), []int{1, 32})
	})
}

func TestAnEventIsRecordedBeforeItLeavesTheQueue(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.queue.trouble = func(d *delivery, how string, _ time.Duration) trouble {
			if how == "done" && !r.inbox.committed(inboxKey(&d.ev)) {
				t.Error("it is done, and not in the inbox")
			}
			return trouble{}
		}
		r.queue.put(event("a"))
		r.start(0)
		r.want("done", r.queue.count("done"), 1)
	})
}

func TestACopyIsDropped(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.queue.put(event("a"), event("a"), event("a"))
		r.start(0)
		r.want("done", r.queue.count("done"), 3)
		r.want("calls", r.handled(), []string{"a"})
	})
}

func TestTwoCopiesAtOnceAreOneEffect(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(ctx context.Context, _ *hook.Event) error { time.Sleep(time.Minute); return nil })
		r.queue.put(event("a"), event("a"))
		r.start(carefulFor)
		time.Sleep(10 * time.Minute)
		r.want("calls", r.handled(), []string{"a"})
		r.want("done", r.queue.count("done"), 2)
		if h := r.queue.history(); h[0] != "back 5s" {
			t.Error(h)
		}
	})
}

func TestAnotherBodyUnderTheSameIDIsALetter(t *testing.T) {
	inBubble(t, func(r *rig) {
		other := event("a")
		other.Fingerprint = hook.Fingerprint{2}
		r.queue.put(event("a"), other)
		r.start(0)
		r.want("calls", len(r.handled()), 1)
		r.want("letters", r.queue.letters()[0].Kind, hook.KindConflict)
	})
}

func TestAReplayIsProcessedOnceMore(t *testing.T) {
	inBubble(t, func(r *rig) {
		replay := event("a")
		replay.Replay = 1
		r.queue.put(event("a"), replay, replay)
		r.start(0)
		r.want("calls", len(r.handled()), 2)
		r.want("done", r.queue.count("done"), 3)
	})
}

func TestForeignMessagesWithoutIDAreNotTakenForCopies(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.queue.put(&hook.Event{Body: []byte("1")}, &hook.Event{Body: []byte("2")}, &hook.Event{Body: []byte("1")})
		r.start(0)
		r.want("calls", len(r.handled()), 2)
		r.want("done", r.queue.count("done"), 3)
		if !strings.HasPrefix(r.handled()[0], "sha256:") {
			t.Error("the handler got no ID")
		}
	})
}

func TestAFailingEventGoesThroughAllTiersAndIsALetterThen(t *testing.T) {
	inBubble(t, func(r *rig) {
		begin := time.Now()
		r.on(func(context.Context, *hook.Event) error { return err503 })
		r.queue.put(event("a"))
		r.start(0)
		time.Sleep(8 * time.Hour)
		synctest.Wait()
		r.want("history", r.queue.history(), []string{"later 5s", "later 30s", "later 2m0s", "later 10m0s", "later 1h0m0s", "later 6h0m0s", "dead exhausted"})
		letter := r.queue.letters()[0]
		r.want("attempts", letter.Attempt, 7)
		r.want("status", letter.Status, 503)
		r.want("first", letter.First, begin)
		r.want("lasted", letter.Time.Sub(letter.First), 7*time.Hour+12*time.Minute+35*time.Second)
		if r.c.Status().Outage {
			t.Error("one bad event is taken for an outage")
		}
		if r.inbox.committed(inboxKey(event("a"))) {
			t.Error("the inbox says that it was processed")
		}
	})
}

func TestABadEventHoldsUpNobody(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(_ context.Context, ev *hook.Event) error {
			if ev.ID == "e3" {
				return &hook.Fault{Kind: hook.KindPermanent, Message: "the downstream answered 422", Status: 422}
			}
			return nil
		})
		r.queue.put(events(0, 10)...)
		r.start(0)
		r.want("done", r.queue.count("done"), 9)
		r.want("letters", r.queue.letters()[0].Kind, hook.KindPermanent)
	})
}

func TestAPanicIsAFault(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error { panic("+49 170 0000000") })
		r.queue.put(event("a"))
		r.start(0)
		r.want("history", r.queue.history(), []string{"later 5s"})
		r.on(nil)
		time.Sleep(6 * time.Second)
		r.want("done", r.queue.count("done"), 1)
		for _, e := range r.logs.All() {
			if strings.Contains(fmt.Sprint(e.Message, e.ContextMap()), "0000000") {
				t.Error("the value of a panic is logged")
			}
		}
	})
}

// oddError has a text that cannot be had.
type oddError struct{ text *string }

func (e *oddError) Error() string { return *e.text }

func TestOddErrorsOfAHandlerHurtNobody(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a nil fault is none":             {(*hook.Fault)(nil), "done"},
		"an error that panics is a fault": {new(oddError), "later 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.on(func(context.Context, *hook.Event) error { return c.err })
				r.queue.put(event("a"))
				r.start(0)
				r.want("history", r.queue.history(), []string{c.want})
			})
		})
	}
}

func TestAHandlerThatHangsEndsAtTheWorkLimit(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(ctx context.Context, _ *hook.Event) error { <-ctx.Done(); return ctx.Err() })
		r.queue.put(event("a"))
		r.start(0)
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		r.want("before", len(r.queue.history()), 0)
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("after", r.queue.history(), []string{"later 5s"})
		r.on(nil)
	})
}

func TestTheFaultOfAHandlerStaysItsOwn(t *testing.T) {
	inBubble(t, func(r *rig) {
		late := &hook.Fault{Kind: hook.KindTransient, Message: "it hangs", Err: context.DeadlineExceeded}
		r.on(func(ctx context.Context, _ *hook.Event) error { <-ctx.Done(); return late })
		r.queue.put(event("a"))
		r.start(0)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		r.want("after", r.queue.history(), []string{"later 5s"})
		r.want("the handler's fault", late.Message, "it hangs")
		r.on(nil)
	})
}

func TestAClaimIsRenewedWhileTheHandlerWorks(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error {
			time.Sleep(4 * time.Minute)
			state, _, err := r.inbox.Claim(context.Background(), hook.Claim{Key: inboxKey(event("a")), Token: hook.NewToken(), Lease: time.Second})
			if state != hook.Pending || err != nil {
				t.Error("the claim was lost", state, err)
			}
			return nil
		})
		r.queue.put(event("a"))
		r.start(0)
		time.Sleep(5 * time.Minute)
		r.want("done", r.queue.count("done"), 1)
	})
}

func TestAHandlerMayKeepItsOwnInbox(t *testing.T) {
	inBubble(t, func(r *rig) {
		h := &onceHandler{inbox: newFakeStore(), calls: map[string]int{}}
		r.opts.Handler, r.opts.Inbox = h, nil
		other := event("a")
		other.Fingerprint = hook.Fingerprint{2}
		r.queue.put(event("a"), event("a"), other, event("b"))
		r.start(0)
		time.Sleep(time.Minute)
		r.want("done", r.queue.count("done"), 3)
		r.want("letters", r.queue.letters()[0].Kind, hook.KindConflict)
		r.want("effects", h.calls, map[string]int{"a": 1, "b": 1})
		r.want("failures", h.failed, 1)
	})
}

// onceHandler fails once.
type onceHandler struct {
	inbox  *fakeStore
	calls  map[string]int
	failed int
}

func (h *onceHandler) Handle(context.Context, *hook.Event) error { panic("not this one") }

func (h *onceHandler) HandleOnce(ctx context.Context, c hook.Claim, ev *hook.Event) (hook.State, hook.Fingerprint, error) {
	if h.failed == 0 {
		h.failed++
		return 0, hook.Fingerprint{}, errors.New("deadlock detected")
	}
	state, fp, err := h.inbox.Claim(ctx, c)
	if err == nil && state == hook.Ours {
		h.calls[ev.ID]++
		err = h.inbox.Commit(ctx, c)
	}
	return state, fp, err
}

func TestWithoutAnInboxEveryCopyIsProcessed(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.opts.Inbox, r.opts.NoInbox = nil, true
		r.queue.put(event("a"), event("a"))
		r.start(0)
		r.want("calls", len(r.handled()), 2)
		r.want("done", r.queue.count("done"), 2)
	})
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	good := func() Options {
		return Options{Source: newFakeQueue().source(), Inbox: newFakeStore(), Handler: hook.HandlerFunc(nil)}
	}
	if _, err := New(good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no source":            func(o *Options) { o.Source = nil },
		"no handler":           func(o *Options) { o.Handler = nil },
		"no inbox":             func(o *Options) { o.Inbox = nil },
		"an inbox and none":    func(o *Options) { o.NoInbox = true },
		"a negative number":    func(o *Options) { o.Concurrency = -1 },
		"a negative time":      func(o *Options) { o.WorkLimit = -1 },
		"tiers that go down":   func(o *Options) { o.Retry = []time.Duration{time.Minute, time.Second} },
		"a tier twice":         func(o *Options) { o.Retry = []time.Duration{time.Second, time.Second} },
		"a tier of no time":    func(o *Options) { o.Retry = []time.Duration{0} },
		"a negative first one": func(o *Options) { o.Retry = []time.Duration{-1} },
	} {
		t.Run(name, func(t *testing.T) {
			o := good()
			change(&o)
			if _, err := New(o); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestTheLogHoldsNoEventID(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(_ context.Context, ev *hook.Event) error {
			if ev.Attempt == 0 {
				return err503
			}
			return nil
		})
		r.queue.put(event("conversation-of-jane"))
		r.start(0)
		time.Sleep(time.Minute)
		r.want("done", r.queue.count("done"), 1)
		lines := 0
		for _, e := range r.logs.All() {
			if text := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(text, "jane") {
				t.Error(text)
			}
			if strings.HasPrefix(e.Message, "event") {
				lines++
			}
		}
		r.want("lines", lines, 2)
	})
}
