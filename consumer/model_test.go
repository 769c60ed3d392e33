package consumer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// The model: events, with copies and conflicts among them, go through consumers
// that crash and are stopped, between a queue, an inbox and a downstream that
// are slow, fail and lose their answers. rapid draws what happens; virtual time
// makes it happen in the drawn order. Then everything heals, and every event
// must come to its end.

// plan is one history, as rapid drew it.
type plan struct {
	Events    []planned
	Ends      []ending // of consumers; there is one at any time, or two
	Two       bool
	Handler   []handling // one after the other, and then from the first again
	Queue     []trouble
	Inbox     []trouble
	InboxDown [2]time.Duration
	Healed    time.Duration // from when on nothing goes wrong any more
}

type planned struct {
	At      time.Duration
	ID      string
	Content byte
	Copies  int
}

type ending struct {
	After time.Duration // the one before
	Crash bool          // or else it is closed
}

// handling is what one attempt meets.
type handling struct {
	Took time.Duration
	What fate
}

type fate uint8

const (
	succeeds fate = iota
	succeedsAndTellsNobody
	failsBefore
	failsAfterwards
	retriesLater
	isPermanent
	panics
	hangs
	fates
)

func drawPlan(t *rapid.T) plan {
	seconds := func(most int) *rapid.Generator[time.Duration] {
		return rapid.Map(rapid.IntRange(0, most), func(n int) time.Duration { return time.Duration(n) * time.Second })
	}
	troubles := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) trouble {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		return trouble{Delay: time.Duration(rapid.IntRange(0, 3000).Draw(t, "delay")) * time.Millisecond, Fail: kind == 8, Lose: kind == 9}
	}), 1, 12)
	p := plan{
		Events: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) planned {
			return planned{
				At:      seconds(40).Draw(t, "at"),
				ID:      rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "id"),
				Content: rapid.SampledFrom([]byte{1, 1, 1, 2}).Draw(t, "content"),
				Copies:  rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "copies"),
			}
		}), 1, 12).Draw(t, "events"),
		Ends: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ending {
			return ending{After: seconds(50).Draw(t, "after"), Crash: rapid.Bool().Draw(t, "crash")}
		}), 0, 4).Draw(t, "ends"),
		Two: rapid.Bool().Draw(t, "two"),
		Handler: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) handling {
			return handling{Took: seconds(40).Draw(t, "took"), What: fate(rapid.IntRange(0, int(fates)-1).Draw(t, "what"))}
		}), 1, 10).Draw(t, "handler"),
		Queue:  troubles.Draw(t, "queue"),
		Inbox:  troubles.Draw(t, "inbox"),
		Healed: seconds(150).Draw(t, "healed"),
	}
	p.InboxDown[0] = seconds(60).Draw(t, "inbox down")
	p.InboxDown[1] = p.InboxDown[0] + seconds(25).Draw(t, "for")
	return p
}

func TestTheModelHolds(t *testing.T) {
	if err := flag.Set("rapid.checks", "1500"); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		if broken := play(t, drawPlan(rt), noBug); len(broken) > 0 {
			rt.Fatalf("%s", broken[0])
		}
	})
}

// bug is a mistake that is planted to see that the model finds it.
type bug uint8

const (
	noBug        bug = iota
	doneTooEarly     // removed from the queue when it is handed out
	noRecord         // the inbox forgets what was committed
	noClaims         // the inbox gives a claim to everybody
	noRetry          // what failed is removed
)

func TestTheModelFindsPlantedBugs(t *testing.T) {
	for name, planted := range map[string]bug{
		"an event that is done before it is processed": doneTooEarly,
		"an inbox that remembers nothing":              noRecord,
		"an inbox that everybody has a claim in":       noClaims,
		"a failed event that is dropped":               noRetry,
	} {
		t.Run(name, func(t *testing.T) {
			gen := rapid.Custom(drawPlan)
			for seed := range 1000 {
				if len(play(t, gen.Example(seed), planted)) > 0 {
					return
				}
			}
			t.Error("1000 histories, and the bug was not found")
		})
	}
}

// world is what really happens.
type world struct {
	p       plan
	planted bug
	begin   time.Time
	queue   *fakeQueue
	inbox   *fakeStore
	metrics *Metrics

	mu       sync.Mutex
	handled  int
	working  map[string]int                       // handlers at an event: key
	effects  map[string]map[hook.Fingerprint]bool // key to bodies
	troubles map[string]int                       // how many calls there were
	broken   []string                             // what must not have happened
}

func play(t *testing.T, p plan, planted bug) []string {
	w := &world{
		p: p, planted: planted, queue: newFakeQueue(), inbox: newFakeStore(), metrics: NewMetrics(),
		working: map[string]int{}, effects: map[string]map[hook.Fingerprint]bool{}, troubles: map[string]int{},
	}
	synctest.Test(t, func(*testing.T) { w.run() })
	return append(w.broken, w.queue.broken...)
}

func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func (w *world) age() time.Duration { return time.Since(w.begin) }
func (w *world) healed() bool       { return w.age() >= w.p.Healed }

// next returns the next trouble of a list.
func (w *world) next(of string, list []trouble) trouble {
	if w.healed() {
		return trouble{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubles[of]++
	return list[w.troubles[of]%len(list)]
}

// life is one consumer's.
type life struct {
	w    *world
	src  *source
	c    *Consumer
	dead bool // guarded by w.mu
	ran  chan struct{}
}

func (l *life) died() bool {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.dead
}

func (w *world) newLife() *life {
	l := &life{w: w, src: w.queue.source(), ran: make(chan struct{})}
	var src hook.Source = l.src
	if w.planted == doneTooEarly || w.planted == noRetry {
		src = &buggySource{l.src, w.planted}
	}
	var err error
	l.c, err = New(Options{
		Source: src, Inbox: &livingStore{l}, Handler: hook.HandlerFunc(l.handle), Metrics: w.metrics,
		Retry: []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}, WorkLimit: time.Minute,
	})
	if err != nil {
		panic(err)
	}
	go func() {
		defer close(l.ran)
		if err := l.c.Run(context.Background()); err != nil {
			w.violate("Run: %v", err)
		}
	}()
	return l
}

// end crashes or closes a consumer.
func (l *life) end(crash bool) {
	if crash {
		l.w.mu.Lock()
		l.dead = true
		l.w.mu.Unlock()
		l.src.crash()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	healed := l.w.healed()
	err := l.c.Close(ctx)
	if err != nil && !crash && healed {
		l.w.violate("Close: %v", err)
	}
	<-l.ran
	if !crash {
		l.src.crash() // its connection is closed: what it could not hand back is handed out again
	}
}

func (w *world) run() {
	w.begin = time.Now()
	w.queue.trouble = func(*delivery, string, time.Duration) trouble { return w.next("queue", w.p.Queue) }
	w.inbox.trouble = func(op, _ string) trouble {
		if at := w.age(); at >= w.p.InboxDown[0] && at < w.p.InboxDown[1] && !w.healed() {
			return trouble{Fail: true}
		}
		tr := w.next("inbox", w.p.Inbox)
		tr.Delay /= 4 // Core gives a second to what it settles
		if op == "renew" {
			return trouble{}
		}
		return tr
	}

	lives := []*life{w.newLife()}
	if w.p.Two {
		lives = append(lives, w.newLife())
	}
	var running sync.WaitGroup
	for _, e := range w.p.Events {
		running.Go(func() {
			time.Sleep(e.At)
			for range e.Copies {
				w.queue.put(&hook.Event{ID: e.ID, Hook: "h", Fingerprint: hook.Fingerprint{e.Content}, ReceivedAt: time.Now()})
			}
		})
	}
	running.Go(func() {
		for i, e := range w.p.Ends {
			time.Sleep(e.After)
			n := i % len(lives)
			lives[n].end(e.Crash)
			lives[n] = w.newLife()
		}
	})
	running.Wait()
	time.Sleep(w.p.Healed)
	time.Sleep(time.Hour) // all tiers, leases and pauses
	w.check()
	for _, l := range lives {
		l.end(false)
	}
	time.Sleep(time.Hour) // handlers that outlived their consumer
}

// handle is the downstream: one that takes each event ID once.
func (l *life) handle(ctx context.Context, ev *hook.Event) error {
	w := l.w
	key := inboxKey(ev)
	if w.inbox.committed(key) && !l.died() {
		w.violate("%s is processed, and the inbox knows that it was", ev.ID)
	}
	w.mu.Lock()
	h := w.p.Handler[w.handled%len(w.p.Handler)]
	w.handled++
	w.mu.Unlock()
	if w.healed() {
		h = handling{Took: time.Second}
	}
	if h.What == hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if h.What == failsBefore {
		return errors.New("refused")
	}
	w.enter(l, ev)
	defer w.leave(l, ev)
	select {
	case <-time.After(h.Took):
	case <-ctx.Done():
		return ctx.Err()
	}
	switch h.What {
	case retriesLater:
		return &hook.Fault{Kind: hook.KindTransient, Status: 429, RetryAfter: h.Took}
	case isPermanent:
		return &hook.Fault{Kind: hook.KindPermanent, Status: 400}
	case panics:
		panic("somewhere")
	}
	w.mu.Lock()
	if w.effects[key] == nil {
		w.effects[key] = map[hook.Fingerprint]bool{}
	}
	w.effects[key][ev.Fingerprint] = true
	w.mu.Unlock()
	if h.What == failsAfterwards {
		return errors.New("reset by peer")
	}
	return nil
}

// enter and leave see to it that no two consumers that live are at one event at
// once.
func (w *world) enter(l *life, ev *hook.Event) {
	if l.died() {
		return
	}
	w.mu.Lock()
	w.working[inboxKey(ev)]++
	n := w.working[inboxKey(ev)]
	w.mu.Unlock()
	if n > 1 && w.age() < w.p.InboxDown[0] {
		w.violate("%s is processed twice at once", ev.ID)
	}
}

func (w *world) leave(_ *life, ev *hook.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working[inboxKey(ev)]--
}

// check holds the queue against what may be in the end.
func (w *world) check() {
	// One that is closed while it cannot write to the inbox says so.
	unrecorded := int(value(w.metrics, "hookgate_consumer_unrecorded_total"))
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	for _, it := range w.queue.items {
		key := inboxKey(&it.ev)
		switch it.state {
		case "done":
			if !w.inbox.committed(key) {
				if unrecorded == 0 {
					w.violate("%s is done, and not in the inbox", it.ev.ID)
				}
				unrecorded = max(0, unrecorded-1)
			}
			w.mu.Lock()
			there := w.effects[key][it.ev.Fingerprint]
			w.mu.Unlock()
			if !there {
				w.violate("%s is done without an effect", it.ev.ID)
			}
		case "dead":
			if it.fault.Kind == hook.KindExhausted && it.ev.Attempt != 3 {
				w.violate("%s is exhausted after %d attempts", it.ev.ID, it.ev.Attempt+1)
			}
			if it.fault.Time.IsZero() || it.fault.First.IsZero() || it.fault.First.After(it.fault.Time) {
				w.violate("%s has failed from %v to %v", it.ev.ID, it.fault.First, it.fault.Time)
			}
		default:
			w.violate("%s is %s in the end", it.ev.ID, it.state)
		}
	}
}

// livingStore is the inbox as one consumer sees it: a dead one reaches it no
// more.
type livingStore struct{ l *life }

var errCrashed = errors.New("crashed")

func (s *livingStore) Claim(ctx context.Context, c hook.Claim) (hook.State, hook.Fingerprint, error) {
	if s.l.died() {
		return 0, hook.Fingerprint{}, errCrashed
	}
	if s.l.w.planted == noClaims {
		if state, fp, err := s.l.w.inbox.Claim(ctx, c); state != hook.Pending {
			return state, fp, err
		}
		return hook.Ours, c.Fingerprint, nil
	}
	return s.l.w.inbox.Claim(ctx, c)
}

func (s *livingStore) Renew(ctx context.Context, c hook.Claim) (bool, error) {
	if s.l.died() {
		return false, errCrashed
	}
	return s.l.w.inbox.Renew(ctx, c)
}

func (s *livingStore) Release(ctx context.Context, c hook.Claim) error {
	if s.l.died() {
		return errCrashed
	}
	return s.l.w.inbox.Release(ctx, c)
}

func (s *livingStore) Commit(ctx context.Context, c ...hook.Claim) error {
	if s.l.died() {
		return errCrashed
	}
	if s.l.w.planted == noRecord {
		return nil
	}
	return s.l.w.inbox.Commit(ctx, c...)
}

func (s *livingStore) Ready() error { return nil }

// buggySource plants bugs.
type buggySource struct {
	*source
	planted bug
}

func (s *buggySource) Receive(ctx context.Context) (hook.Delivery, error) {
	d, err := s.source.Receive(ctx)
	if err != nil {
		return nil, err
	}
	if s.planted == doneTooEarly {
		_ = d.Done(ctx)
		return d, nil
	}
	return dropping{d}, nil
}

// dropping drops what failed.
type dropping struct{ hook.Delivery }

func (d dropping) Later(ctx context.Context, after time.Duration, f *hook.Fault) error {
	if f != nil {
		return d.Done(ctx)
	}
	return d.Delivery.Later(ctx, after, f)
}
