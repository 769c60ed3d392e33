// Package ledger keeps what senders were told of their events, and holds it
// against what became of them: the checker behind the tests of faults. It knows
// events by their IDs alone, and compares sets, so that it needs to know nothing
// of how they were lost or repeated.
//
// It is for tests alone. Nothing that is built imports it.
package ledger

import (
	"sync"
	"time"
)

// Answer is what a sender was told of one attempt.
type Answer struct {
	At     time.Time     // when the request was sent
	Took   time.Duration // until its answer, or until it ended without one
	Status int           // 0: there was no answer
	Code   string        // the word of the answer
}

// Taken reports whether the answer promises that the event is durable.
func (a Answer) Taken() bool { return a.Status >= 200 && a.Status < 300 }

// unknown reports whether the event may be durable without a promise.
func (a Answer) unknown() bool { return a.Status == 0 || a.Code == "outcome_unknown" }

// Ledger is the journal of all senders. It is safe for use by many goroutines.
type Ledger struct {
	mu     sync.Mutex
	events map[string][]Answer // in the order of the answers
}

// Note writes down the answer to an attempt to send an event.
func (l *Ledger) Note(id string, a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events == nil {
		l.events = make(map[string][]Answer)
	}
	l.events[id] = append(l.events[id], a)
}

// Len returns how many events there are.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// Taken returns how many events have a promise.
func (l *Ledger) Taken() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, answers := range l.events {
		if taken(answers) {
			n++
		}
	}
	return n
}

func taken(answers []Answer) bool {
	for _, a := range answers {
		if a.Taken() {
			return true
		}
	}
	return false
}

// Codes returns how many answers there were, by code.
func (l *Ledger) Codes() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	codes := make(map[string]int)
	for _, answers := range l.events {
		for _, a := range answers {
			codes[a.Code]++
		}
	}
	return codes
}
