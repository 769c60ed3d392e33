package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a consumer over a queue and an inbox in memory, in a bubble of virtual
// time.
type rig struct {
	t     *testing.T
	queue *fakeQueue
	src   *source
	inbox *fakeStore
	opts  Options
	c     *Consumer
	ran   chan error
	logs  *observer.ObservedLogs

	mu     sync.Mutex
	calls  []string                                        // events as the handler got them
	handle func(ctx context.Context, ev *hook.Event) error // nil for success
}

func inBubble(t *testing.T, fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		r := &rig{t: t, queue: newFakeQueue(), inbox: newFakeStore(), logs: logs}
		r.src = r.queue.source()
		r.opts = Options{
			Source: r.src, Inbox: r.inbox, Logger: zap.New(core), Metrics: NewMetrics(),
			Handler: hook.HandlerFunc(r.called),
		}
		fn(r)
		if r.c != nil {
			if err := r.c.Close(context.Background()); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		for _, s := range r.queue.broken {
			t.Error(s)
		}
		// The bubble fails the test if a goroutine is left.
	})
}

func (r *rig) called(ctx context.Context, ev *hook.Event) error {
	r.mu.Lock()
	r.calls = append(r.calls, ev.ID)
	handle := r.handle
	r.mu.Unlock()
	if handle == nil {
		return nil
	}
	return handle(ctx, ev)
}

func (r *rig) on(handle func(ctx context.Context, ev *hook.Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handle = handle
}

func (r *rig) handled() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// start runs the consumer. Past is how many events count as settled already, so
// that a test need not begin carefully.
func (r *rig) start(past int) {
	r.t.Helper()
	var err error
	if r.c, err = New(r.opts); err != nil {
		r.t.Fatal(err)
	}
	r.c.gate.careful = max(0, carefulFor-past)
	r.ran = make(chan error, 1)
	go func() { r.ran <- r.c.Run(context.Background()) }()
	synctest.Wait()
}

func (r *rig) want(what string, got, want any) {
	r.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// logged reports whether a message was logged.
func (r *rig) logged(text string) bool {
	return slices.ContainsFunc(r.logs.All(), func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, text) })
}

func event(id string) *hook.Event {
	return &hook.Event{ID: id, Hook: "h", Body: []byte(`{"id":"` + id + `"}`), Fingerprint: hook.Fingerprint{1}, ReceivedAt: time.Now()}
}

func events(from, to int) (all []*hook.Event) {
	for i := from; i < to; i++ {
		all = append(all, event(fmt.Sprint("e", i)))
	}
	return all
}

var err503 = &hook.Fault{Kind: hook.KindTransient, Message: "the downstream answered 503", Status: 503}

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

// crowd counts how many are in it at once.
type crowd struct {
	mu        sync.Mutex
	now, most int
}

func (c *crowd) stay(d time.Duration) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	time.Sleep(d)
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
}

// peak returns the most that there were since it was asked last.
func (c *crowd) peak() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := c.most
	c.most = c.now
	return most
}

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
	inBubble(t, func(r *rig) {
		r.src.q.trouble = nil
		r.opts.Source = refusing{r.src}
		r.on(func(context.Context, *hook.Event) error { return err503 })
		r.queue.put(event("a"))
		r.start(0)
		r.want("history", r.queue.history(), []string{"later 30s"})
		r.on(nil)
	})
}

// refusing is a source whose first tier is missing.
type refusing struct{ *source }

func (s refusing) Receive(ctx context.Context) (hook.Delivery, error) {
	d, err := s.source.Receive(ctx)
	if err != nil {
		return nil, err
	}
	return refusingDelivery{d}, nil
}

type refusingDelivery struct{ hook.Delivery }

func (d refusingDelivery) Later(ctx context.Context, after time.Duration, f *hook.Fault) error {
	if after == 5*time.Second {
		return fmt.Errorf("%w: no route", hook.ErrRefused)
	}
	return d.Delivery.Later(ctx, after, f)
}

func TestAfterACrashSuspectsAreTakenOneAtATime(t *testing.T) {
	inBubble(t, func(r *rig) {
		var at crowd
		r.on(func(context.Context, *hook.Event) error { at.stay(time.Millisecond); return nil })
		r.queue.put(events(0, 32)...)
		for _, it := range r.queue.items {
			it.redeliveries = 2
		}
		r.start(carefulFor)
		time.Sleep(time.Minute)
		r.want("at once", at.peak(), 1)
		r.want("done", r.queue.count("done"), 32)
		r.queue.put(events(100, 300)...)
		time.Sleep(time.Minute)
		r.want("at once", at.peak(), 8)
		r.want("windows", r.src.asked(), []int{32, 1, 32})
	})
}

func TestTheClaimOfACrashedConsumerIsOutlasted(t *testing.T) {
	inBubble(t, func(r *rig) {
		claim := hook.Claim{Key: inboxKey(event("e0")), Token: hook.NewToken(), Lease: 30 * time.Second}
		if state, _, err := r.inbox.Claim(context.Background(), claim); state != hook.Ours || err != nil {
			t.Fatal(state, err)
		}
		r.queue.put(events(0, 50)...)
		r.queue.items[0].redeliveries = 2
		r.start(0)
		time.Sleep(time.Second)
		r.want("the others are done meanwhile", r.queue.count("done"), 49)
		time.Sleep(40 * time.Second)
		r.want("done", r.queue.count("done"), 50)
		r.want("handled", len(r.handled()), 50)
		for _, h := range r.queue.history() {
			if h != "done" { // in a tier it would lose its count of crashes
				t.Error(h)
			}
		}
		r.want("windows", r.src.asked(), []int{1, 2, 33, 32})
	})
}

func TestAClaimThatDoesNotEndIsWaitedForInATier(t *testing.T) {
	inBubble(t, func(r *rig) {
		store := r.inbox
		store.trouble = func(string, string) trouble {
			store.mu.Lock()
			defer store.mu.Unlock()
			store.keys[inboxKey(event("a"))] = entry{token: hook.Token{1}, expires: time.Now().Add(time.Minute)}
			return trouble{}
		}
		r.queue.put(event("a"))
		r.queue.items[0].redeliveries = 1
		r.start(0)
		time.Sleep(40 * time.Second)
		r.want("history", r.queue.history(), []string{"back 5s"})
		store.trouble = nil
	})
}

func TestCloseDoesNotWaitForTheClaimOfAnother(t *testing.T) {
	inBubble(t, func(r *rig) {
		if _, _, err := r.inbox.Claim(context.Background(), hook.Claim{Key: inboxKey(event("a")), Token: hook.NewToken(), Lease: time.Hour}); err != nil {
			t.Fatal(err)
		}
		r.queue.put(event("a"))
		r.queue.items[0].redeliveries = 1
		r.start(0)
		time.Sleep(time.Second)
		begin := time.Now()
		r.want("close", r.c.Close(context.Background()), nil)
		r.want("took", time.Since(begin), time.Duration(0))
		r.want("handed out", r.queue.count("held"), 0)
	})
}

func TestCloseLetsWorkEnd(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error { time.Sleep(3 * time.Second); return nil })
		r.queue.put(events(0, 20)...)
		r.start(carefulFor)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := r.c.Close(ctx); err != nil {
			t.Fatal(err)
		}
		r.want("run", <-r.ran, nil)
		r.want("done", r.queue.count("done"), 8)
		r.want("calls", len(r.handled()), 8)
		r.want("handed out", r.queue.count("held"), 0)
	})
}

func TestCloseHandsBackWhatTakesTooLong(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(ctx context.Context, _ *hook.Event) error { <-ctx.Done(); return ctx.Err() })
		r.queue.put(events(0, 20)...)
		r.start(carefulFor)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.c.Close(ctx); err != nil {
			t.Fatal(err)
		}
		r.want("took", time.Since(begin), 4*time.Second)
		r.want("run", <-r.ran, nil)
		r.want("ready", r.queue.count("ready"), 20)
		for _, it := range r.queue.items {
			r.want("attempts", it.ev.Attempt, 0)
		}
		for i, ev := range events(0, 20) {
			if _, found := r.inbox.get(inboxKey(ev)); found {
				t.Errorf("the claim on event %d is kept", i)
			}
		}
	})
}

func TestWhatDoesNotListenIsLeftBehind(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error { time.Sleep(time.Minute); return nil })
		r.queue.put(event("a"))
		r.start(0)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r.want("close", r.c.Close(ctx), context.DeadlineExceeded)
		r.want("run", <-r.ran, ErrLeft)
		time.Sleep(time.Minute)
	})
}

func TestRunEndsWithItsContextAfterSomeGrace(t *testing.T) {
	for name, tc := range map[string]struct {
		work time.Duration
		took time.Duration
		done int
	}{
		"what is done soon is done":            {2 * time.Second, 2 * time.Second, 1},
		"what is not done soon is handed back": {time.Minute, 5 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.on(func(ctx context.Context, _ *hook.Event) error {
					select {
					case <-time.After(tc.work):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
				r.queue.put(event("a"))
				var err error
				if r.c, err = New(r.opts); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(time.Second, cancel)
				begin := time.Now()
				r.want("run", r.c.Run(ctx), nil)
				r.want("took", time.Since(begin), max(time.Second+tc.took-time.Second, tc.took)+map[bool]time.Duration{true: time.Second}[tc.done == 0])
				r.want("done", r.queue.count("done"), tc.done)
				r.want("ready", r.queue.count("ready"), 1-tc.done)
			})
		})
	}
}

func TestRunEndsWithTheSource(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.src.fatal = errors.New("access refused")
		r.start(0)
		if err := <-r.ran; !errors.Is(err, r.src.fatal) {
			t.Error(err)
		}
		if err := r.c.Run(context.Background()); !errors.Is(err, ErrRan) {
			t.Error(err)
		}
	})
}

func TestCloseWithoutRunIsFine(t *testing.T) {
	inBubble(t, func(r *rig) {
		var err error
		if r.c, err = New(r.opts); err != nil {
			t.Fatal(err)
		}
		r.want("close", r.c.Close(context.Background()), nil)
		r.want("run", r.c.Run(context.Background()), nil)
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
