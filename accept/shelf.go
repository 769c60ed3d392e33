package accept

import (
	"math"
	"slices"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// shelf is what a forwarder knows of one kind of spooled events. It is in memory
// alone: after a restart it is found out anew.
type shelf struct {
	state     hook.QueueState
	from      uint64              // all up to here were looked at
	stalled   map[place]*stall    // of places that take nothing at present
	aside     map[uint64]*aside   // events that are tried by themselves
	doubts    map[uint64]*doubt   // events that the queue may have
	damaged   map[uint64]struct{} // entries that cannot be read
	told      map[place]struct{}  // places that were expected
	forwarded []uint64            // events that the queue has, and are still here
}

// stall is a place that takes nothing at present.
type stall struct {
	first    uint64 // the oldest event that waits for it
	until    time.Time
	failures int
	reason   Reason
	told     bool // a person was told, because it is not the whole queue that is down
}

// aside is an event that failed for its own sake.
type aside struct {
	place    place
	until    time.Time
	failures int
}

// doubt is an event that the queue may have.
type doubt struct {
	fate  <-chan error
	times int // that it was alone on its way
}

func newShelf(state hook.QueueState) shelf {
	s := shelf{state: state, told: make(map[place]struct{})}
	s.forget()
	return s
}

// forget starts anew, with an empty shelf.
func (s *shelf) forget() {
	if s.stalled != nil && len(s.stalled)+len(s.aside)+len(s.doubts)+len(s.damaged)+len(s.forwarded) == 0 {
		return
	}
	s.stalled, s.aside = make(map[place]*stall), make(map[uint64]*aside)
	s.doubts, s.damaged = make(map[uint64]*doubt), make(map[uint64]struct{})
	s.forwarded = nil
}

// next returns when there is something to try again.
func (s *shelf) next() time.Time {
	next := time.Now().Add(time.Hour)
	for _, t := range s.stalled {
		if t.until.Before(next) {
			next = t.until
		}
	}
	for _, a := range s.aside {
		if s.stalled[a.place] == nil && a.until.Before(next) {
			next = a.until
		}
	}
	return next
}

// outgoing returns an entry as it is published. What was ready is to be
// processed, also where it has a fault, which is that of an earlier attempt.
func (s *shelf) outgoing(e *hook.Entry) hook.Outgoing {
	out := hook.Outgoing{Event: e.Event}
	if s.state == hook.StateDead {
		out.Fault = e.Fault
		if out.Fault == nil {
			out.Fault = &hook.Fault{Kind: hook.KindPermanent, Message: "the fault was not kept", Time: e.At, First: e.At}
		}
	}
	return out
}

// placeOf returns where an entry goes.
func (s *shelf) placeOf(e *hook.Entry) place {
	if s.state == hook.StateDead {
		return place{dead: true}
	}
	return placeOf(e.Event, nil)
}

// passes reports whether an entry is to be left alone for now.
func (s *shelf) passes(e *hook.Entry) bool {
	_, alone := s.aside[e.Seq]
	return alone || slices.Contains(s.forwarded, e.Seq)
}

// waits reports whether an entry waits for its place to take events again.
func (s *shelf) waits(at place, seq uint64) bool {
	t := s.stalled[at]
	if t != nil {
		t.first = min(t.first, seq)
	}
	return t != nil
}

// taken reports whether an event that was in doubt has turned out to be taken.
func (s *shelf) taken(seq uint64) bool {
	d := s.doubts[seq]
	if d == nil || d.fate == nil {
		return false
	}
	select {
	case fate, known := <-d.fate:
		d.fate = nil // it is told once
		return known && fate == nil
	default:
		return false
	}
}

// stalls notes that a place has taken nothing, from an event on.
func (s *shelf) stalls(at place, first uint64, r Reason, now time.Time) *stall {
	t := s.stalled[at]
	if t == nil {
		t = &stall{first: math.MaxUint64}
		s.stalled[at] = t
	}
	t.first, t.reason = min(t.first, first), r
	t.until = now.Add(backoff(t.failures, firstPause0, lastPause))
	t.failures++
	return t
}

// probeSize is how many events are sent to a place that takes nothing. One that
// nobody knows the outcome of is followed by one alone: it would be many copies.
// Where events are refused it may be the first one's fault, and not the place's.
func (t *stall) probeSize(most int) int {
	if t.reason == Refused && t.failures%2 == 0 {
		return most
	}
	return 1
}

// setAside has an event tried by itself, later each time.
func (s *shelf) setAside(seq uint64, at place, r Reason, now time.Time) (known bool) {
	a, known := s.aside[seq]
	if !known {
		a = &aside{place: at}
		s.aside[seq] = a
	}
	a.until = now.Add(backoff(a.failures, firstAside, lastAside))
	if r == NotAvailable { // which says nothing about the event
		a.until = now.Add(lastPause)
		return known
	}
	a.failures++
	return known
}

// done forgets an event that the queue has.
func (s *shelf) done(seq uint64) {
	delete(s.aside, seq)
	delete(s.doubts, seq)
	s.forwarded = append(s.forwarded, seq)
}
