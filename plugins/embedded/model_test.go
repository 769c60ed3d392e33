package embedded

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// modelEvent is what the model knows of an event that is not dead.
type modelEvent struct {
	id       string
	seq      int // its place: that in which it came in
	due      int64
	attempt  int
	crashes  int
	replay   int
	first    int64 // when it failed for the first time, 0 for never
	delivery hook.Delivery
}

// modelLetter is what it knows of a dead letter.
type modelLetter struct {
	id      string
	kind    hook.Kind
	attempt int
	replay  int
	first   int64
}

// model is the queue as it should be, in simple words.
type model struct {
	t       *rapid.T
	dir     string
	d       *DB
	crashed *atomic.Int32 // what becomes of transactions
	clock   *clock

	events  []*modelEvent
	dead    []modelLetter
	lastSeq int
	names   int
}

// How a process ends: before its next transaction is on disk, or when it is and
// nobody has been told.
const (
	lives int32 = iota
	crashedBefore
	crashedAfter
)

// open opens the file. Once it has crashed nothing reaches the disk any more.
func (m *model) open() {
	d, err := New(Options{Path: filepath.Join(m.dir, "m.db"), Now: m.clock.now})
	if err != nil {
		m.t.Fatal(err)
	}
	d.tick = time.Hour
	m.crashed = new(atomic.Int32)
	crashed := m.crashed
	d.commit = func(tx *bolt.Tx) error {
		switch crashed.Load() {
		case crashedBefore:
			return errors.Join(tx.Rollback(), syscall.EIO)
		case crashedAfter:
			return errors.Join(tx.Commit(), syscall.EIO)
		}
		return tx.Commit()
	}
	if err := d.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.d = d
}

func (m *model) close() {
	if err := m.d.Close(context.Background()); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) must(err error) {
	if err != nil {
		m.t.Fatal(err)
	}
}

// now makes what is due ready, and is what the queue does with each operation.
func (m *model) now() int64 {
	now := m.clock.now().UnixMilli()
	for _, e := range m.events {
		if e.due != 0 && e.due <= now {
			e.due = 0
		}
	}
	return now
}

func (m *model) add(id string, replay int) {
	m.lastSeq++
	m.events = append(m.events, &modelEvent{id: id, seq: m.lastSeq, replay: replay})
}

func (m *model) remove(e *modelEvent) {
	m.events = slices.DeleteFunc(m.events, func(o *modelEvent) bool { return o == e })
}

func (m *model) bury(e *modelEvent, kind hook.Kind, attempt int, now int64) {
	m.remove(e)
	if e.first == 0 {
		e.first = now
	}
	m.dead = append(m.dead, modelLetter{e.id, kind, max(e.attempt, attempt), e.replay, e.first})
}

// next returns the event that is to be handed out, after those that were handed
// out too often are dead.
func (m *model) next() *modelEvent {
	now := m.now()
	slices.SortFunc(m.events, func(a, b *modelEvent) int { return a.seq - b.seq })
	for _, e := range slices.Clone(m.events) {
		if e.due != 0 || e.delivery != nil {
			continue
		}
		if e.crashes > deliveryLimit {
			m.bury(e, hook.KindPoison, e.attempt, now)
			continue
		}
		return e
	}
	return nil
}

// held draws an event that somebody works on.
func (m *model) held() *modelEvent {
	var held []*modelEvent
	for _, e := range m.events {
		if e.delivery != nil {
			held = append(held, e)
		}
	}
	if len(held) == 0 {
		m.t.Skip("nobody works on anything")
	}
	return rapid.SampledFrom(held).Draw(m.t, "event")
}

// The steps.

func (m *model) accept(t *rapid.T) {
	m.names++
	id := fmt.Sprint("e", m.names)
	s, _, err := m.d.Accept(context.Background(), claimOn(id, 1, 1), event(id), nil)
	if s != hook.Ours || err != nil {
		t.Fatal(s, err)
	}
	m.add(id, 0)
}

func (m *model) acceptAgain(t *rapid.T) {
	if m.names == 0 {
		t.Skip("there is none")
	}
	id := fmt.Sprint("e", rapid.IntRange(1, m.names).Draw(t, "id"))
	s, _, err := m.d.Accept(context.Background(), claimOn(id, 2, 1), event(id), nil)
	if s != hook.Committed || err != nil {
		t.Fatal(s, err)
	}
}

func (m *model) receive(t *rapid.T) {
	out := 0
	for _, e := range m.events {
		if e.delivery != nil {
			out++
		}
	}
	m.d.Prefetch(out + 1) // no more than one is taken: the order is plain
	want := m.next()
	if want == nil {
		m.settleDesk()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dl, err := m.d.Receive(ctx)
	if err != nil {
		t.Fatalf("%s is ready: %v", want.id, err)
	}
	first := dl.(hook.Failed).FirstFault()
	ev := dl.Event()
	if ev.ID != want.id || ev.Attempt != want.attempt || ev.Replay != want.replay || dl.Redeliveries() != want.crashes ||
		first.IsZero() != (want.first == 0) || want.first != 0 && first.UnixMilli() != want.first {
		t.Fatalf("%s, attempt %d, replay %d, redelivered %d times, failed first at %s; want %+v", ev.ID, ev.Attempt, ev.Replay, dl.Redeliveries(), first, want)
	}
	want.delivery = dl
}

// settleDesk has somebody ask who gets nothing, so that the queue has buried
// what it had to.
func (m *model) settleDesk() {
	ctx, cancel := context.WithCancel(context.Background())
	_, errs := receiving(ctx, m.d)
	want := len(m.dead)
	eventually(m.t, "what was handed out too often is dead", func() bool { return m.d.Stats().Dead == want })
	cancel()
	if err := <-errs; err != context.Canceled {
		m.t.Fatal(err)
	}
}

// A settlement is a call and what it changes.
type settlement func(t *rapid.T, e *modelEvent) (call func() error, change func())

func (m *model) settles(how settlement) func(*rapid.T) {
	return func(t *rapid.T) {
		call, change := how(t, m.held())
		m.must(call())
		change()
	}
}

func (m *model) done(_ *rapid.T, e *modelEvent) (func() error, func()) {
	dl := e.delivery
	return func() error { return dl.Done(context.Background()) }, func() { m.remove(e) }
}

func (m *model) giveBack(_ *rapid.T, e *modelEvent) (func() error, func()) {
	dl := e.delivery
	return func() error { return dl.Return(context.Background()) }, func() { e.delivery = nil }
}

func (m *model) later(t *rapid.T, e *modelEvent) (func() error, func()) {
	dl, now := e.delivery, m.now()
	after := rapid.SampledFrom([]time.Duration{-1, 0, time.Millisecond, 5 * time.Second, time.Minute}).Draw(t, "after")
	var f *hook.Fault
	if rapid.Bool().Draw(t, "failed") {
		f = &hook.Fault{Kind: hook.KindTransient}
	}
	return func() error { return dl.Later(context.Background(), after, f) }, func() {
		e.delivery, e.crashes = nil, 0
		if f != nil {
			e.attempt++
			if e.first == 0 {
				e.first = now
			}
		}
		if after > 0 {
			e.due = now + after.Milliseconds()
		}
	}
}

func (m *model) deadLetter(_ *rapid.T, e *modelEvent) (func() error, func()) {
	dl, f, now := e.delivery, hook.Fault{Kind: hook.KindPermanent, Attempt: e.attempt + 1}, m.now()
	return func() error { return dl.Dead(context.Background(), f) }, func() { m.bury(e, f.Kind, f.Attempt, now) }
}

func (m *model) advance(t *rapid.T) {
	m.clock.advance(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute}).Draw(t, "by"))
}

// crash ends the process and opens the file again.
func (m *model) crash(t *rapid.T) {
	m.crashed.Store(crashedBefore)
	m.reopen()
}

// crashWhileSettling ends it just before or just after the transaction that
// settles is on disk.
func (m *model) crashWhileSettling(t *rapid.T) {
	how := rapid.SampledFrom([]settlement{m.done, m.giveBack, m.later, m.deadLetter}).Draw(t, "how")
	call, change := how(t, m.held())
	m.crashed.Store(rapid.SampledFrom([]int32{crashedBefore, crashedAfter}).Draw(t, "when"))
	landed := m.crashed.Load() == crashedAfter
	if err := call(); !errors.Is(err, ErrBad) {
		t.Fatalf("nobody was to be told: %v", err)
	}
	if landed {
		change()
	}
	m.reopen()
}

func (m *model) reopen() {
	m.close()
	for _, e := range m.events {
		if e.delivery != nil {
			e.delivery = nil
			e.crashes++
		}
	}
	m.open()
}

// manyCrashes has one event in work at as many crashes as there may be.
func (m *model) manyCrashes(t *rapid.T) {
	for range rapid.IntRange(deliveryLimit-2, deliveryLimit+2).Draw(t, "crashes") {
		m.receive(t)
		m.crash(t)
	}
}

func (m *model) sweep(t *rapid.T) {
	verdicts := rapid.SliceOfN(rapid.SampledFrom([]hook.Action{hook.Keep, hook.Keep, hook.Send, hook.Discard, hook.Stop}), len(m.dead), len(m.dead)).Draw(t, "verdicts")
	var left []modelLetter
	n, stopped := 0, false
	for i, l := range m.dead {
		switch {
		case stopped || verdicts[i] == hook.Keep:
			left = append(left, l)
		case verdicts[i] == hook.Stop:
			stopped = true
			left = append(left, l)
		case verdicts[i] == hook.Send:
			m.add(l.id, l.replay+1)
		}
	}
	m.must(m.d.Sweep(context.Background(), func(l *hook.DeadLetter) hook.Verdict {
		if n >= len(m.dead) {
			t.Fatalf("%s is one too many", l.Event.ID)
		}
		want := m.dead[n]
		if got := (modelLetter{l.Event.ID, l.Fault.Kind, l.Event.Attempt, l.Event.Replay, l.Fault.First.UnixMilli()}); got != want || l.ID != hook.LetterID(l.Event) {
			t.Fatalf("letter %d is %+v, want %+v", n, got, want)
		}
		v := hook.Verdict{Do: verdicts[n]}
		if n++; v.Do == hook.Send {
			ev := *l.Event
			ev.Replay, ev.Attempt = ev.Replay+1, 0
			v.Event = &ev
		}
		return v
	}))
	if !stopped && n != len(m.dead) {
		t.Fatalf("%d letters were shown of %d", n, len(m.dead))
	}
	m.dead = left
}

// check compares what can be seen after each step.
func (m *model) check(t *rapid.T) {
	var work, want counts
	for _, e := range m.events {
		switch {
		case e.delivery != nil:
			work.ready++
		default:
			want.ready++ // or due: which of them depends on when it was looked
		}
	}
	s := m.d.Stats()
	if int64(s.InWork) != work.ready || int64(s.Ready+s.Due) != want.ready || s.Dead != len(m.dead) {
		t.Fatalf("%+v; %d are in work, %d wait, %d are dead", s, work.ready, want.ready, len(m.dead))
	}
}

// drain processes all that is left: nothing is lost and nothing is there twice.
func (m *model) drain() {
	for _, e := range m.events {
		if e.delivery != nil {
			m.must(e.delivery.Return(context.Background()))
			e.delivery = nil
		}
	}
	m.clock.advance(time.Hour)
	for m.next() != nil {
		m.receive(m.t)
		m.settles(m.done)(m.t)
	}
	m.settleDesk()
	if s := m.d.Stats(); s.Ready+s.Due+s.InWork != 0 || s.Dead != len(m.dead) {
		m.t.Fatalf("%+v are left", s)
	}
}

func TestTheQueueIsAsItsModel(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{t: rt, dir: filepath.Join(dir, fmt.Sprint(run)), clock: newClock()}
		m.open()
		defer func() { _ = m.d.Close(context.Background()) }()
		rt.Repeat(map[string]func(*rapid.T){
			"accept":               m.accept,
			"accept again":         m.acceptAgain,
			"receive":              m.receive,
			"receive more":         m.receive,
			"done":                 m.settles(m.done),
			"return":               m.settles(m.giveBack),
			"later":                m.settles(m.later),
			"dead":                 m.settles(m.deadLetter),
			"clock":                m.advance,
			"sweep":                m.sweep,
			"crash":                m.crash,
			"crash while settling": m.crashWhileSettling,
			"crash often":          m.manyCrashes,
			"":                     m.check,
		})
		m.drain()
		intact(t, m.d)
	})
}
