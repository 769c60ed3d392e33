package rabbitmq

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// target is where messages go: an exchange, and a queue behind it. What one
// queue does to its publishers is no matter to the others.
type target struct {
	exchange string
	queue    string // the queue that must be there
	named    bool   // by a hook; its routing key is its name

	missing     atomic.Pointer[error] // nil, or what the topology lacks
	outstanding atomic.Int64          // written and not confirmed
	progress    atomic.Int64          // Unix nanoseconds of the last confirmation, or of the first message that awaits one
	probed      atomic.Int64          // Unix nanoseconds of the last message let through while it stalls
}

// String names it for a person.
func (t *target) String() string {
	if t.named {
		return fmt.Sprintf("the queue %s", t.queue)
	}
	return fmt.Sprintf("the exchange %s", t.exchange)
}

// begin counts a message that is about to be written.
func (t *target) begin() {
	if t.outstanding.Add(1) == 1 {
		t.progress.Store(time.Now().UnixNano())
	}
}

// end counts a message that was confirmed or refused, or whose confirmation
// was lost, which is no progress.
func (t *target) end(settled bool) {
	t.outstanding.Add(-1)
	if settled {
		t.progress.Store(time.Now().UnixNano())
	}
}

// stalledFor returns how long messages have been waiting without any
// confirmation, beyond what is usual; 0 where that is not so.
func (t *target) stalledFor(now time.Time) time.Duration {
	if t.outstanding.Load() == 0 {
		return 0
	}
	if d := now.Sub(time.Unix(0, t.progress.Load())); d > stallAfter {
		return d
	}
	return 0
}

var errTooMany = errors.New("rabbitmq: too many messages are unconfirmed")

// ready returns nil, or why messages to it have no chance.
func (t *target) ready(now time.Time) error {
	if missing := t.missing.Load(); missing != nil {
		return *missing
	}
	if d := t.stalledFor(now); d > 0 {
		return fmt.Errorf("rabbitmq: nothing to %s was confirmed for %s", t, d.Round(time.Second))
	}
	return nil
}

// admit returns nil if a message may be written now. While nothing is
// confirmed it lets one through now and then: where the confirmations of
// before were lost for good, that finds out that the queue is well again.
func (t *target) admit(now time.Time) error {
	if t.outstanding.Load() >= maxOutstanding {
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
