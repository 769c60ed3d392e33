package rabbitmq

import (
	"sync/atomic"
	"time"
)

// counters count since the Queue was made.
type counters struct {
	published, confirmed, returned, nacked, lost, late atomic.Uint64
	channelsLost, failures                             atomic.Uint64
}

// Stats are figures of a Queue. All but the last three count since it was made.
type Stats struct {
	Published   uint64 // messages written
	Confirmed   uint64 // of these, those that the server has
	Nacked      uint64 // refused by their queue
	Returned    uint64 // refused for lack of a queue
	Lost        uint64 // whose outcome nobody knows
	Late        uint64 // whose outcome came when their request was over
	Failures    uint64 // connections that ended, or were not to be had
	Channels    uint64 // channels that the server has closed, without their connection
	Outstanding int64  // written and not confirmed
	Open        int    // connections that can be used
	Blocked     int    // connections on which the server takes nothing
}

// Stats returns the figures of now.
func (q *Queue) Stats() Stats {
	s := Stats{
		Published: q.stats.published.Load(),
		Confirmed: q.stats.confirmed.Load(),
		Nacked:    q.stats.nacked.Load(),
		Returned:  q.stats.returned.Load(),
		Lost:      q.stats.lost.Load(),
		Late:      q.stats.late.Load(),
		Failures:  q.stats.failures.Load(),
		Channels:  q.stats.channelsLost.Load(),
	}
	for _, t := range q.targets() {
		s.Outstanding += t.tally.outstanding.Load()
	}
	now := time.Now()
	for _, l := range q.links {
		if l.blocked.Load() != nil {
			s.Blocked++
		}
		if l.ready(now) == nil {
			s.Open++
		}
	}
	return s
}
