package hook

import (
	"context"
	"fmt"
)

// Shelf is what a Queue on this node may be beside: one whose events are moved
// to another queue. Its receipts have a Seq.
type Shelf interface {
	// Next returns entries of a state with a Seq above after, the oldest first:
	// up to limit of them, and fewer where they are large. There are none only
	// where no more follow. Its error is a *Damaged where the next one cannot be
	// read. What is in work is not among those that are ready.
	Next(ctx context.Context, s QueueState, after uint64, limit int) ([]Entry, error)

	// Remove removes entries of a state. It leaves those that are in work, and
	// has no error for those that are gone.
	Remove(ctx context.Context, s QueueState, seqs ...uint64) error

	// Counts answers from memory.
	Counts(ctx context.Context) (Counts, error)
}

// Damaged is an error of a look: this entry cannot be read. Those behind it may
// be.
type Damaged struct {
	Seq uint64
	Err error
}

// Error implements error.
func (e *Damaged) Error() string { return fmt.Sprintf("entry %d: %v", e.Seq, e.Err) }

// Unwrap returns the cause.
func (e *Damaged) Unwrap() error { return e.Err }

// Outgoing is an event on its way to another queue: to be processed there, or,
// with a fault, to be kept as a dead letter.
type Outgoing struct {
	Event *Event
	Fault *Fault
}

// Sequencer is what a Queue may be beside: one that takes several events in
// their order, and waits for all of them at once.
type Sequencer interface {
	// PublishAll returns what became of each, as Publish and Park do. As far as
	// they are taken, they are in their order.
	PublishAll(ctx context.Context, events []Outgoing) []error
}
