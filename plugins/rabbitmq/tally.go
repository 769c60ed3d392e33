package rabbitmq

import (
	"sync/atomic"
	"time"
)

// tally counts messages that were written and not confirmed, and knows for how
// long there has been no confirmation.
type tally struct {
	outstanding atomic.Int64
	progress    atomic.Int64 // Unix nanoseconds of the last confirmation, or of the first message that awaits one
	since       atomic.Int64 // Unix nanoseconds of the first message written after that; 0 for none
}

// begin counts a message that is about to be written.
func (t *tally) begin(now time.Time) {
	if t.outstanding.Add(1) == 1 {
		t.progress.Store(now.UnixNano())
		t.since.Store(now.UnixNano())
	} else if t.since.Load() == 0 {
		t.since.Store(now.UnixNano())
	}
}

// end counts a message that was confirmed or refused, or whose confirmation
// was lost, which is no progress.
func (t *tally) end(settled bool, now time.Time) {
	t.outstanding.Add(-1)
	if settled {
		t.progress.Store(now.UnixNano())
		t.since.Store(0)
	}
}

// stalledFor returns how long messages have been waiting without any
// confirmation, where that is longer than least, and 0 otherwise.
func (t *tally) stalledFor(least time.Duration, now time.Time) time.Duration {
	return t.longer(t.progress.Load(), least, now)
}

// ignoredFor is stalledFor, but for messages that were there when the last one
// was confirmed: on one channel of several those may wait for that alone.
func (t *tally) ignoredFor(least time.Duration, now time.Time) time.Duration {
	return t.longer(t.since.Load(), least, now)
}

func (t *tally) longer(since int64, least time.Duration, now time.Time) time.Duration {
	if t.outstanding.Load() == 0 || since == 0 {
		return 0
	}
	if d := now.Sub(time.Unix(0, since)); d > least {
		return d
	}
	return 0
}
