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

// The model: senders send events, also the same ones at once, through cores
// that crash, to a store and a queue that are slow, fail, lose their answers,
// and confirm late or never. rapid draws what happens; virtual time makes it
// happen in the drawn order. The world watches, and knows what is durable.

// plan is one history, as rapid drew it.
type plan struct {
	Requests []request
	Crashes  []time.Duration // when the process dies and a new one starts
	OneStep  bool            // store and queue are one Accepter
}

// request is one sender's.
type request struct {
	At      time.Duration
	ID      string // "" for a body in which none was found: to be parked
	Content byte
	Invalid bool // does not meet its contract: to be parked
	Claims  []trouble
	Settle  trouble
	Renew   trouble
	Publish publishing
}

// trouble is what happens to one call of the store.
type trouble struct {
	Delay time.Duration
	Fail  bool // without effect
	Lose  bool // with effect, and the answer is lost
}

// publishing is what happens to one call of the queue.
type publishing struct {
	Delay time.Duration // until the message is durable, or refused
	End   ending
	Late  time.Duration // from then on, until a late confirmation
}

type ending uint8

const (
	confirmed ending = iota
	refused
	unavailableAtOnce
	doubtTaken        // durable; a late ack
	doubtRefused      // not durable; a late nack
	doubtLostTaken    // durable; the connection is gone
	doubtLostNotTaken // not durable; the connection is gone
	endings
)

func drawPlan(t *rapid.T) plan {
	millis := func(most int) *rapid.Generator[time.Duration] {
		return rapid.Map(rapid.IntRange(0, most), func(n int) time.Duration { return time.Duration(n) * time.Millisecond })
	}
	troubles := rapid.Custom(func(t *rapid.T) trouble {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		return trouble{Delay: millis(120).Draw(t, "delay"), Fail: kind == 8, Lose: kind == 9}
	})
	requests := rapid.Custom(func(t *rapid.T) request {
		return request{
			At: millis(6000).Draw(t, "at"),
			ID: rapid.SampledFrom([]string{"a", "b", "a", "b", ""}).Draw(t, "id"),
			// Also the same under another ID, as with an ID in a header.
			Content: rapid.SampledFrom([]byte{1, 1, 1, 2}).Draw(t, "content"),
			Invalid: rapid.IntRange(0, 4).Draw(t, "invalid") >= 3,
			Claims:  rapid.SliceOfN(troubles, 1, 3).Draw(t, "claims"),
			Settle:  troubles.Draw(t, "settle"),
			Renew:   trouble{Fail: rapid.IntRange(0, 2).Draw(t, "renew") == 2},
			Publish: publishing{
				Delay: millis(700).Draw(t, "delay"),
				End:   ending(rapid.IntRange(0, int(endings)-1).Draw(t, "end")),
				Late:  millis(4000).Draw(t, "late"),
			},
		}
	})
	return plan{
		Requests: rapid.SliceOfN(requests, 2, 10).Draw(t, "requests"),
		Crashes:  rapid.SliceOfN(millis(7000), 0, 2).Draw(t, "crashes"),
		OneStep:  rapid.Bool().Draw(t, "one step"),
	}
}

func TestTheModelHolds(t *testing.T) {
	if err := flag.Set("rapid.checks", "5000"); err != nil { // a millisecond each
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
	noBug            bug = iota
	answerTooEarly       // success before the queue has confirmed
	commitTooEarly       // a permanent claim before the publish
	releaseInDoubt       // what nobody knows is taken for a failure
	releaseOfAnother     // without comparing the token
	parkUnderOwnKey      // a letter blocks the corrected event
	parkByBodyAlone      // a letter blocks that of another event with the same body
)

func TestTheModelFindsPlantedBugs(t *testing.T) {
	for name, planted := range map[string]bug{
		"an answer before the confirm":      answerTooEarly,
		"a commit before the publish":       commitTooEarly,
		"a release in doubt":                releaseInDoubt,
		"a release of another's claim":      releaseOfAnother,
		"parking under the event's own key": parkUnderOwnKey,
		"parking under the body's key":      parkByBodyAlone,
	} {
		t.Run(name, func(t *testing.T) {
			gen := rapid.Custom(drawPlan)
			for seed := range 3000 {
				p := gen.Example(seed)
				p.OneStep = false
				if len(play(t, p, planted)) > 0 {
					return
				}
			}
			t.Error("3000 histories, and the bug was not found")
		})
	}
}

// world is what really happens.
type world struct {
	planted bug
	store   *fakeStore

	mu      sync.Mutex
	durable map[string]bool        // published: ID and content
	ids     map[string]bool        // published: ID
	letters map[string]bool        // parked: ID and content
	doubt   map[hook.Token]bool    // a write under this claim may still be taken
	parkKey map[string]string      // of a letter, to the key that a planted bug gives it
	healed  bool                   // no more trouble
	scripts map[hook.Token]*script // of the requests, by their claims
	broken  []string               // what must not have happened
}

// play runs a plan, and returns what was broken.
func play(t *testing.T, p plan, planted bug) []string {
	w := &world{
		planted: planted, store: newFakeStore(), durable: map[string]bool{}, ids: map[string]bool{},
		letters: map[string]bool{}, doubt: map[hook.Token]bool{}, parkKey: map[string]string{}, scripts: map[hook.Token]*script{},
	}
	synctest.Test(t, func(t *testing.T) { w.run(p) })
	return w.broken
}

func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// nameOf tells an event, or a letter, from all others.
func nameOf(ev *hook.Event) string {
	if ev.ID == "" {
		return fmt.Sprint(hook.DigestID(ev.Fingerprint), " ", ev.Fingerprint[0])
	}
	return fmt.Sprint(ev.ID, " ", ev.Fingerprint[0])
}

// process is one life of the program.
type process struct {
	w    *world
	core *Core
	gate *Gate
	dead bool // guarded by w.mu
}

func (w *world) newProcess(oneStep bool) *process {
	p := &process{w: w}
	var (
		store hook.Store = &troubledStore{p}
		queue hook.Queue = &troubledQueue{p}
		err   error
	)
	if oneStep {
		both := &troubledAccepter{troubledStore: &troubledStore{p}, troubledQueue: &troubledQueue{p}}
		store, queue = both, both
	}
	if p.core, err = New(Options{Store: store}); err != nil {
		panic(err)
	}
	if p.gate, err = NewGate(GateOptions{Core: p.core, Store: store, Queue: queue}); err != nil {
		panic(err)
	}
	return p
}

func (p *process) died() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead
}

func (w *world) run(p plan) {
	var (
		processes = []*process{w.newProcess(p.OneStep)}
		running   sync.WaitGroup
		mu        sync.Mutex // guards processes
	)
	current := func() *process {
		mu.Lock()
		defer mu.Unlock()
		return processes[len(processes)-1]
	}
	for _, at := range p.Crashes {
		running.Go(func() {
			time.Sleep(at)
			mu.Lock()
			defer mu.Unlock()
			w.mu.Lock()
			processes[len(processes)-1].dead = true
			w.mu.Unlock()
			processes = append(processes, w.newProcess(p.OneStep))
		})
	}
	for i := range p.Requests {
		running.Go(func() {
			time.Sleep(p.Requests[i].At)
			w.send(current(), &p.Requests[i])
		})
	}
	running.Wait()
	w.heal(current())
	for _, p := range processes {
		_ = p.core.Close(context.Background())
	}
}

// heal ends all trouble: now every event must be taken within a while.
func (w *world) heal(p *process) {
	w.mu.Lock()
	w.healed = true
	w.mu.Unlock()
	time.Sleep(20 * time.Second) // longer than any lease, also one renewed in doubt
	for _, id := range []string{"a", "b"} {
		r := &request{ID: id, Content: 3, Claims: []trouble{{}}}
		switch outcome, err := w.send(p, r); {
		case err != nil:
			w.violate("%s is refused after everything has healed: %v", id, err)
		case outcome == hook.OutcomeParked && !w.published(id):
			w.violate("%s is parked, and no event of that ID was ever taken", id)
		}
	}
}

func (w *world) published(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids[id]
}

// send sends one request, and holds its answer against what is durable.
func (w *world) send(p *process, r *request) (hook.Outcome, error) {
	ev := &hook.Event{ID: r.ID, Hook: "h", Fingerprint: body(r.Content)}
	w.mu.Lock()
	switch w.planted {
	case parkUnderOwnKey:
		w.parkKey[hook.ParkKey("h", r.ID, ev.Fingerprint)] = hook.EventKey("h", r.ID)
	case parkByBodyAlone:
		w.parkKey[hook.ParkKey("h", r.ID, ev.Fingerprint)] = hook.ParkKey("h", "", ev.Fingerprint)
	}
	w.mu.Unlock()

	ctx := context.WithValue(context.Background(), scriptKey{}, &script{r: r})
	ctx, cancel := context.WithTimeout(ctx, 480*time.Millisecond)
	defer cancel()
	policy := Policy{Lease: 2 * time.Second, TTL: time.Hour, OnConflict: Park}
	var (
		res Result
		err error
	)
	if r.Invalid || r.ID == "" {
		res, err = p.gate.Park(ctx, ev, hook.Fault{Kind: hook.KindInvalid}, policy)
	} else {
		res, err = p.gate.Accept(ctx, ev, policy)
	}
	if p.died() { // nobody got this answer
		return "", errors.New("crashed")
	}
	if err == nil {
		w.judge(ev, r, res.Outcome)
	}
	return res.Outcome, err
}

func (w *world) judge(ev *hook.Event, r *request, outcome hook.Outcome) {
	w.mu.Lock()
	event, letter := w.durable[nameOf(ev)], w.letters[nameOf(ev)]
	w.mu.Unlock()
	switch {
	case outcome == hook.OutcomeAccepted && !event:
		w.violate("%s is called accepted, and is not durable", nameOf(ev))
	case outcome == hook.OutcomeParked && !letter:
		w.violate("%s is called parked, and is not durable", nameOf(ev))
	case outcome == hook.OutcomeDuplicate && !event && !letter:
		w.violate("%s is called a duplicate, and was never durable", nameOf(ev))
	}
}
