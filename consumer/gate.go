package consumer

import (
	"sync"
	"time"
)

// gate says when the next event may be fetched, and knows why not: too many are
// held, the consumer is careful, or something that it needs is down. It has no
// clock of its own and asks nobody.
type gate struct {
	concurrency, prefetch int

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a wait may be over
	held    int           // tickets that are out
	parked  int           // events that are kept to be tried again, and hold no ticket while they wait
	waiting bool          // one of the tickets is for an event that has not arrived
	careful int           // events to be settled one at a time
	inbox   pause         // the inbox cannot be asked
	queue   pause         // the queue does not take what we tell it
	outage  pause         // the downstream is down
	probing bool          // a ticket for one event is out, to see whether it is back
	streak  streak
}

// ticket is the right to fetch and process one event.
type ticket struct{ probe bool }

// step is what the gate asks for.
type step uint8

const (
	hold     step = iota // wait
	fetch                // one event; a ticket is out
	askInbox             // find out whether the inbox is back
)

func newGate(o Options) *gate {
	return &gate{
		concurrency: o.Concurrency, prefetch: o.Prefetch, careful: carefulFor,
		changed: make(chan struct{}),
		streak:  streak{enough: o.OutageAfter, window: o.OutageWindow},
	}
}

// next returns what is to be done now. After a hold it is asked again when the
// time is over, where there is one, or when changed is closed.
func (g *gate) next(now time.Time) (s step, t ticket, wait time.Duration, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.held >= g.limit():
		return hold, t, 0, g.changed
	case g.inbox.left(now) > 0:
		return hold, t, g.inbox.left(now), g.changed
	case g.inbox.on:
		return askInbox, t, 0, nil
	case g.queue.left(now) > 0:
		return hold, t, g.queue.left(now), g.changed
	case g.outage.on && g.probing:
		return hold, t, 0, g.changed
	case g.outage.left(now) > 0:
		return hold, t, g.outage.left(now), g.changed
	}
	g.held++
	g.waiting = true
	if g.outage.on {
		g.probing, t.probe = true, true
	}
	return fetch, t, 0, nil
}

// limit returns how many tickets may be out. In an outage the events from
// before it may still be at work beside the probe.
func (g *gate) limit() int {
	if g.careful > 0 {
		return 1
	}
	return min(g.concurrency, g.prefetch)
}

// window returns how many events the source may hand out.
func (g *gate) window() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.careful > 0 || g.outage.on || g.inbox.on {
		return 1 + g.parked
	}
	return g.prefetch + g.parked
}

// arrived is told of an event that was fetched, and returns why it cannot be
// processed now, or "".
func (g *gate) arrived(t ticket, redeliveries int) Result {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = false
	if redeliveries >= suspectAfter {
		g.careful = carefulFor
	}
	switch {
	case g.inbox.on:
		return InboxUnavailable
	case g.outage.on && !t.probe:
		return Outage
	}
	return ""
}

// alone returns nil when the event that has arrived may be processed beside the
// others, or what is closed when that may have changed.
func (g *gate) alone() (changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.careful > 0 && g.held > 1 {
		return g.changed
	}
	return nil
}

// leave takes a ticket back.
func (g *gate) leave(t ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held--
	if t.probe {
		g.probing = false
	}
	g.notify()
}

// absent is told that no event has arrived.
func (g *gate) absent(t ticket) {
	g.mu.Lock()
	g.waiting = false
	g.mu.Unlock()
	g.leave(t)
}

// mayPark reports whether one more event may be parked.
func (g *gate) mayPark() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.parked < g.prefetch
}

// park lets an event wait that is kept, so that others go on in its place.
func (g *gate) park(t ticket, first bool) {
	g.mu.Lock()
	if first {
		g.parked++
	}
	g.mu.Unlock()
	g.leave(t)
}

// unpark lets an event have a ticket again, at once or when there is one. It
// returns nil, or what is closed when there may be one.
func (g *gate) unpark(atOnce bool) (changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	working := g.held
	if g.waiting {
		working--
	}
	if working >= g.limit() && !atOnce {
		return g.changed
	}
	g.held++
	return nil
}

// parkedOne is told that an event is not parked any more.
func (g *gate) parkedOne() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parked--
}

// succeeded is told that the downstream has processed an event. It reports
// whether that ends an outage.
func (g *gate) succeeded() (ended bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.streak.succeed()
	ended = g.outage.on
	if ended {
		g.outage.end()
		g.probing = false
		g.notify()
	}
	return ended
}

// failed is told that the downstream has failed an event, and how long it wants
// to be left alone. It reports whether there is an outage, and whether it
// begins now.
func (g *gate) failed(t ticket, event string, retryAfter time.Duration, now time.Time) (outage, begins bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.outage.on {
		if t.probe {
			g.outage.fail(now, retryAfter)
		}
		return true, false
	}
	if !g.streak.fail(event, now) {
		return false, false
	}
	g.streak.succeed()
	g.outage.fail(now, retryAfter)
	g.notify()
	return true, true
}

// inboxFailed is told that the inbox could not be asked. It reports whether
// that is new.
func (g *gate) inboxFailed(now time.Time) (begins bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	begins = !g.inbox.on
	g.inbox.fail(now, 0)
	return begins
}

// inboxAnswered is told that the inbox is back.
func (g *gate) inboxAnswered() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inbox.end()
	g.notify()
}

// settled is told that the queue knows what became of an event, and
// settleFailed that it does not.
func (g *gate) settled() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue.end()
	if g.careful > 0 {
		g.careful--
	}
	g.notify()
}

func (g *gate) settleFailed(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue.fail(now, 0)
}

// queuePause returns how long the queue is to be left alone.
func (g *gate) queuePause(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue.left(now)
}

// down returns what the consumer waits for.
func (g *gate) down() (downstream, inbox bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.outage.on, g.inbox.on
}

func (g *gate) notify() {
	close(g.changed)
	g.changed = make(chan struct{})
}
