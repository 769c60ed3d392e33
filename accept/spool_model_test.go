package accept

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

// The model of a spool: requests publish events, each once, through processes
// that crash, to a primary queue that is slow, down, refuses, and confirms late
// or never, and to a local one that fails too; a forwarder of each process moves
// what is left. At the end all is well again. The world knows what is durable.

// spoolPlan is one history, as rapid drew it.
type spoolPlan struct {
	Events  []spoolEvent
	Crashes []time.Duration // when the process dies and a new one starts
	Outages []span          // of the primary queue
	Refuses []span          // when its queue named "x" takes nothing
	BadDisk []span          // when the local queue fails
}

type span struct{ From, For time.Duration }

func in(spans []span, at time.Duration) bool {
	for _, s := range spans {
		if at >= s.From && at < s.From+s.For {
			return true
		}
	}
	return false
}

// spoolEvent is one event, and what happens to it in the primary queue, attempt
// by attempt.
type spoolEvent struct {
	At      time.Duration
	Queue   string
	Park    bool
	Primary []publishing
	Local   trouble
}

func drawSpoolPlan(t *rapid.T) spoolPlan {
	millis := func(most int) *rapid.Generator[time.Duration] {
		return rapid.Map(rapid.IntRange(0, most), func(n int) time.Duration { return time.Duration(n) * time.Millisecond })
	}
	spans := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) span {
		return span{From: millis(10000).Draw(t, "from"), For: millis(5000).Draw(t, "for")}
	}), 0, 2)
	events := rapid.Custom(func(t *rapid.T) spoolEvent {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		return spoolEvent{
			At:    millis(10000).Draw(t, "at"),
			Queue: rapid.SampledFrom([]string{"", "", "x"}).Draw(t, "queue"),
			Park:  rapid.IntRange(0, 4).Draw(t, "park") == 4,
			Primary: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) publishing {
				return publishing{
					Delay: millis(400).Draw(t, "delay"),
					End:   ending(rapid.IntRange(0, int(endings)-1).Draw(t, "end")),
					Late:  millis(4000).Draw(t, "late"),
				}
			}), 0, 5).Draw(t, "primary"),
			Local: trouble{Delay: millis(300).Draw(t, "delay"), Fail: kind == 8, Lose: kind == 9},
		}
	})
	return spoolPlan{
		Events:  rapid.SliceOfN(events, 1, 20).Draw(t, "events"),
		Crashes: rapid.SliceOfN(millis(12000), 0, 3).Draw(t, "crashes"),
		Outages: spans.Draw(t, "outages"),
		Refuses: spans.Draw(t, "refuses"),
		BadDisk: spans.Draw(t, "bad disk"),
	}
}

func TestTheModelOfASpoolHolds(t *testing.T) {
	if err := flag.Set("rapid.checks", "1500"); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		if broken := playSpool(t, drawSpoolPlan(rt), soundSpool); len(broken) > 0 {
			rt.Fatalf("%s", broken[0])
		}
	})
}

// spoolBug is a mistake that is planted to see that the model finds it.
type spoolBug uint8

const (
	soundSpool        spoolBug = iota
	removeInDoubt              // what nobody knows is taken for forwarded
	removeTooEarly             // before the queue has confirmed
	takeBackAnyway             // whatever the fate is
	forgetDoubt                // what the primary may have is answered as not taken
	answerBeforeLocal          // before the local queue has it
)

func TestTheModelOfASpoolFindsPlantedBugs(t *testing.T) {
	for name, planted := range map[string]spoolBug{
		"a removal in doubt":              removeInDoubt,
		"a removal before the confirm":    removeTooEarly,
		"a copy that is taken back early": takeBackAnyway,
		"a doubt that is forgotten":       forgetDoubt,
		"an answer before it is kept":     answerBeforeLocal,
	} {
		t.Run(name, func(t *testing.T) {
			gen := rapid.Custom(drawSpoolPlan)
			for seed := range 2000 {
				if len(playSpool(t, gen.Example(seed), planted)) > 0 {
					return
				}
			}
			t.Error("2000 histories, and the bug was not found")
		})
	}
}

// spoolWorld is what really happens.
type spoolWorld struct {
	plan    spoolPlan
	planted spoolBug
	begin   time.Time
	shelf   *fakeShelf

	mu      sync.Mutex
	there   map[string]int  // in the primary queue, how often
	doubted map[string]bool // an attempt may have been taken, and nobody was told so
	tries   map[string]int
	healed  bool
	broken  []string
}

func playSpool(t *testing.T, p spoolPlan, planted spoolBug) []string {
	w := &spoolWorld{
		plan: p, planted: planted, shelf: newFakeShelf(),
		there: map[string]int{}, doubted: map[string]bool{}, tries: map[string]int{},
	}
	synctest.Test(t, func(*testing.T) { w.run() })
	return w.broken
}

func (w *spoolWorld) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// spoolProcess is one life of the program.
type spoolProcess struct {
	w     *spoolWorld
	spool *Spool
	stop  context.CancelFunc
	done  chan struct{}
	dead  bool // guarded by w.mu
}

func (p *spoolProcess) died() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead
}

func (w *spoolWorld) newProcess() *spoolProcess {
	p := &spoolProcess{w: w, done: make(chan struct{})}
	backlog := NewBacklog()
	primary, local := &worldPrimary{p}, &worldLocal{p}
	var err error
	if p.spool, err = NewSpool(SpoolOptions{Primary: primary, Local: local, Backlog: backlog}); err != nil {
		panic(err)
	}
	f, err := NewForwarder(ForwarderOptions{From: local, To: primary, Backlog: backlog, Outstanding: 4})
	if err != nil {
		panic(err)
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go func() {
		defer close(p.done)
		f.Run(ctx)
	}()
	return p
}

func (w *spoolWorld) run() {
	w.begin = time.Now()
	var (
		mu        sync.Mutex // guards processes
		processes = []*spoolProcess{w.newProcess()}
		running   sync.WaitGroup
		accepted  sync.Map // by ID
	)
	for _, at := range w.plan.Crashes {
		running.Go(func() {
			time.Sleep(at)
			mu.Lock()
			defer mu.Unlock()
			old := processes[len(processes)-1]
			w.mu.Lock()
			old.dead = true
			w.mu.Unlock()
			old.stop()
			processes = append(processes, w.newProcess())
		})
	}
	for i := range w.plan.Events {
		running.Go(func() {
			time.Sleep(w.plan.Events[i].At)
			mu.Lock()
			p := processes[len(processes)-1]
			mu.Unlock()
			if w.send(p, i) {
				accepted.Store(w.id(i), true)
			}
		})
	}
	running.Wait()
	time.Sleep(20 * time.Second) // late fates, and the ends of all spans
	w.mu.Lock()
	w.healed = true
	w.mu.Unlock()
	time.Sleep(lastAside * 11 / 10)

	for i := range w.plan.Events {
		id := w.id(i)
		w.mu.Lock()
		n, doubted := w.there[id], w.doubted[id] || len(w.plan.Crashes) > 0
		w.mu.Unlock()
		if _, ok := accepted.Load(id); ok && n == 0 {
			w.violate("%s was accepted, and is lost", id)
		}
		if n > 1 && !doubted {
			w.violate("%s is there %d times, and nobody was in doubt", id, n)
		}
	}
	if n := w.shelf.len(); n > 0 {
		w.violate("%d events were never forwarded", n)
	}
	for _, p := range processes {
		p.stop()
		<-p.done
		_ = p.spool.Close(context.Background())
	}
}

func (w *spoolWorld) id(i int) string { return fmt.Sprint("evt_", i) }

// send sends one event, and holds its answer against what is durable.
func (w *spoolWorld) send(p *spoolProcess, i int) (accepted bool) {
	e := &w.plan.Events[i]
	ev := &hook.Event{ID: w.id(i), Hook: "h", Queue: e.Queue}
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), eventKey{}, e), budget)
	defer cancel()
	begin := time.Now()
	var (
		receipt hook.Receipt
		err     error
	)
	if e.Park {
		receipt, err = p.spool.Park(ctx, ev, hook.Fault{Kind: hook.KindInvalid})
	} else {
		receipt, err = p.spool.Publish(ctx, ev)
	}
	if p.died() { // nobody got this answer
		return false
	}
	if took := time.Since(begin); took > budget {
		w.violate("%s was answered after %s", ev.ID, took)
	}
	here := false
	for _, id := range w.shelf.spooled() {
		here = here || id == ev.ID
	}
	w.mu.Lock()
	there, mayBe := w.there[ev.ID] > 0, w.doubted[ev.ID]
	w.mu.Unlock()
	_, doubt := errors.AsType[*hook.InDoubt](err)
	switch {
	case err == nil && !receipt.Local && !there:
		w.violate("%s is called taken, and is not", ev.ID)
	case err == nil && receipt.Local && !here && !there:
		w.violate("%s is called kept here, and is not", ev.ID)
	case err != nil && !doubt && (here || there || mayBe):
		w.violate("%s is called not taken, and is, or may be: %v", ev.ID, err)
	}
	return err == nil
}
