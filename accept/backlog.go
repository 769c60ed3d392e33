package accept

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// Reason is why an event of a spool was not forwarded at one attempt. Reasons
// are metric labels: the set is closed.
type Reason uint8

// The reasons.
const (
	NotAvailable Reason = iota // the queue cannot be used
	Refused                    // it does not keep the event: full, no such queue
	Doubtful                   // nobody knows whether it has the event; published again
	Unfit                      // the event cannot be published at all
	Damaged                    // it cannot be read
	ReasonCount                // how many there are
)

var reasonNames = [ReasonCount]string{"unavailable", "refused", "in_doubt", "unfit", "damaged"}

// String returns the reason as in the label.
func (r Reason) String() string { return reasonNames[r] }

// reasonOf returns why an attempt failed.
func reasonOf(err error) Reason {
	if _, ok := errors.AsType[*hook.InDoubt](err); ok {
		return Doubtful
	}
	switch {
	case errors.Is(err, hook.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return NotAvailable
	case errors.Is(err, hook.ErrRefused):
		return Refused
	}
	return Unfit
}

// Backlog is what the spools and the forwarders of one local queue know
// together. It outlives them in a reload.
type Backlog struct {
	spooled, forwarded, withdrawn atomic.Uint64
	failed                        [ReasonCount]atomic.Uint64
	putOff                        atomic.Int64

	since atomic.Int64  // Unix nanoseconds from when on there has been one, 0 for none
	wake  chan struct{} // of capacity 1: something was spooled
}

// NewBacklog returns a Backlog.
func NewBacklog() *Backlog { return &Backlog{wake: make(chan struct{}, 1)} }

// BacklogStats are figures of a Backlog. All but the last count since it was
// made.
type BacklogStats struct {
	Spooled   uint64              // events kept on this node because the queue could not take them
	Forwarded uint64              // events that the queue has since
	Withdrawn uint64              // copies taken back because the queue had the event after all
	Failed    [ReasonCount]uint64 // attempts to forward an event that failed
	PutOff    int                 // events that are passed over now, each for itself, and tried again later
}

// Stats returns the figures of now.
func (b *Backlog) Stats() BacklogStats {
	s := BacklogStats{
		Spooled: b.spooled.Load(), Forwarded: b.forwarded.Load(), Withdrawn: b.withdrawn.Load(),
		PutOff: int(b.putOff.Load()),
	}
	for r := range s.Failed {
		s.Failed[r] = b.failed[r].Load()
	}
	return s
}

// begin notes that there is something in the spool. It reports whether there
// was nothing before.
func (b *Backlog) begin(now time.Time) bool {
	return b.since.Load() == 0 && b.since.CompareAndSwap(0, now.UnixNano())
}

// end notes that the spool is empty. It reports for how long it was not.
func (b *Backlog) end(now time.Time) (lasted time.Duration, was bool) {
	since := b.since.Swap(0)
	return now.Sub(time.Unix(0, since)), since != 0
}

// poke has the forwarder look.
func (b *Backlog) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
