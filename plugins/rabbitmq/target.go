package rabbitmq

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// target is where messages go: an exchange, and a queue behind it. What one
// queue does to its publishers is no matter to the others.
type target struct {
	exchange string
	kind     string     // of the exchange
	queue    string     // the queue that must be there
	key      string     // that the queue is bound with
	args     amqp.Table // of the queue, where it is made
	foreign  bool       // the queue is another program's: as it is, it is right
	source   bool       // messages are taken from the queue, and none is sent to the exchange

	tally   tally
	missing atomic.Pointer[error] // nil, or what the topology lacks
	probed  atomic.Int64          // Unix nanoseconds of the last message let through while it stalls
	tired   atomic.Int64          // Unix nanoseconds of when a look found a message that was delivered too often
}

// String names it for a person.
func (t *target) String() string {
	if t.foreign {
		return fmt.Sprintf("the queue %s", t.queue)
	}
	return fmt.Sprintf("the exchange %s", t.exchange)
}

var errTooMany = errors.New("rabbitmq: too many messages are unconfirmed")

// ready returns nil, or why messages to it have no chance.
func (t *target) ready(now time.Time) error {
	if missing := t.missing.Load(); missing != nil {
		return *missing
	}
	if d := t.tally.ignoredFor(stallAfter, now); d > 0 {
		return fmt.Errorf("rabbitmq: nothing to %s was confirmed for %s", t, d.Round(time.Second))
	}
	return nil
}

// admit returns nil if a message may be written now. While nothing is
// confirmed it lets one through every probeInterval: where the confirmations of
// before were lost for good, that finds out that the queue is well again.
func (t *target) admit(now time.Time) error {
	if t.tally.outstanding.Load() >= maxOutstanding {
		return errTooMany
	}
	err := t.ready(now)
	if err == nil {
		return nil
	}
	if t.missing.Load() == nil {
		last := t.probed.Load()
		if now.Sub(time.Unix(0, last)) >= probeInterval && t.probed.CompareAndSwap(last, now.UnixNano()) {
			return nil
		}
	}
	return err
}
