package rabbitmq

import "time"

// rank says how good a lane's chances are. Messages go to the best.
type rank int

const (
	proven  rank = iota // it has had an outcome, or takes its first message now
	untried             // its first message has had none yet
	stalled             // nothing is confirmed on it: the server may hold up all of a channel for one queue
)

// rank returns a lane's. While others are proven a new one takes one message
// alone: RabbitMQ asks the node that a queue's leader was on before it takes the
// first one on a channel, and where that node stands still the channel does too,
// until the cluster notices, which is a minute as a rule.
func (ln *lane) rank(now time.Time) rank {
	if ln.tally.stalledFor(stallAfter, now) > 0 {
		return stalled
	}
	if ln.settled.Load() {
		return proven
	}
	last := ln.tried.Load()
	if now.Sub(time.Unix(0, last)) >= probeInterval && ln.tried.CompareAndSwap(last, now.UnixNano()) {
		return proven
	}
	return untried
}
