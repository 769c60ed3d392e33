package rabbitmq

import "time"

// rank says how good a lane's chances are. Messages go to the best.
type rank int

const (
	proven  rank = iota // it took a message, or is to show now whether it does
	untried             // it has taken none yet
	stalled             // nothing is confirmed on it: the server may hold up all of a channel for one queue
)

// rank returns a lane's. While others are proven a new one gets one message
// alone: RabbitMQ asks the node that a queue's leader was on before it takes the
// first one on a channel. Where that node stands still the channel does too,
// until the cluster notices, which is a minute as a rule; where it was killed a
// moment ago, 3.10 refuses all that comes on the channel.
func (ln *lane) rank(now time.Time) rank {
	if ln.tally.stalledFor(stallAfter, now) > 0 {
		return stalled
	}
	if ln.took.Load() {
		return proven
	}
	last := ln.tried.Load()
	if now.Sub(time.Unix(0, last)) >= probeInterval && ln.tried.CompareAndSwap(last, now.UnixNano()) {
		return proven
	}
	return untried
}
