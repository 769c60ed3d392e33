package simulate

import (
	"context"
	"sync"
)

// atOnce is how many copies are in flight at the same time.
func (s step) atOnce() int {
	if s.inFlight {
		return 2
	}
	return 1
}

// event sends one event with its copies. It owns a slot for each copy in flight
// at once, and gives them back. Nothing new is sent once the run is stopped.
func (r *run) event(stopped, requests context.Context, s step) {
	var first, second reply
	if s.inFlight {
		first, second = r.pair(requests, s)
	} else {
		first = r.one(requests, s, s.kind, firstCopy, circumstance{})
	}
	acceptances := count(first) + count(second)
	if !first.ok() && !second.ok() {
		acceptances += r.retry(stopped, requests, s, first)
	}
	if s.duplicate && stopped.Err() == nil {
		known := first.ok() || second.ok()
		acceptances += count(r.one(requests, s, Duplicate, duplicateCopy, circumstance{paired: s.inFlight, known: known}))
	}
	<-r.slots
	if acceptances > 1 {
		r.tally.acceptedTwice()
	}
}

// pair sends two copies at the same time, and gives the second one's slot back.
func (r *run) pair(ctx context.Context, s step) (first, second reply) {
	var wg sync.WaitGroup
	c := circumstance{paired: true}
	wg.Go(func() { second = r.one(ctx, s, InFlight, inFlightCopy, c) })
	first = r.one(ctx, s, s.kind, firstCopy, c)
	wg.Wait()
	<-r.slots
	return first, second
}

func (r *run) one(ctx context.Context, s step, kind Kind, copyIndex int, c circumstance) reply {
	r.tally.begin()
	got := r.sender.send(ctx, message{kind: kind, body: s.body, chunked: s.chunked[copyIndex]})
	r.tally.end(kind, s.way, got, c)
	return got
}

// count is 1 for a copy that was accepted as a new event.
func count(r reply) int {
	if r.ok() && r.code == accepted {
		return 1
	}
	return 0
}
