package hook

import (
	"context"
	"errors"
)

var (
	// ErrUnavailable means that the queue cannot be used now and that nothing
	// was written to it.
	ErrUnavailable = errors.New("queue is not available")

	// ErrRefused means that the queue answered that it does not keep the
	// event: a nack, no route, full.
	ErrRefused = errors.New("queue refused the event")
)

// InDoubt is an error: the event may have been taken, or not.
type InDoubt struct {
	// Cause is what ended the wait: a deadline or a lost connection.
	Cause error

	// Fate delivers one value when the outcome becomes known after all, nil
	// for taken or ErrRefused for not, or is closed empty when it never will
	// be. A nil Fate means that the claim in the store tells.
	Fate <-chan error
}

// Error implements error.
func (e *InDoubt) Error() string {
	if e.Cause == nil {
		return "outcome unknown"
	}
	return "outcome unknown: " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *InDoubt) Unwrap() error { return e.Cause }

// Receipt says how an event was taken.
type Receipt struct {
	Local bool   // durable on this node only
	Seq   uint64 // its place in a queue that is a Shelf, 0 for none
}

// Queue keeps accepted events until they are processed. Its methods may be
// called by many goroutines at once. They return nil only when the event is
// durable. An *InDoubt means that nobody knows; after any other error nothing
// was taken.
type Queue interface {
	// Publish hands over an event to be processed.
	Publish(ctx context.Context, ev *Event) (Receipt, error)

	// Park keeps an event as a dead letter, for a person to look at.
	Park(ctx context.Context, ev *Event, f Fault) (Receipt, error)

	// Ready returns nil, or why the queue cannot be used now. It answers from
	// memory.
	Ready() error
}

// Accepter is a store and a queue in one, which takes an event and commits its
// key in a single transaction. accept uses it where store and queue are the
// same value.
type Accepter interface {
	Store
	Queue

	// Accept returns Ours when the event is durable and its key committed, or
	// Committed with the fingerprint of the one that was there before. With a
	// fault the event is kept as a dead letter. It returns Pending only where
	// somebody else's claim, taken through Claim, is still open.
	//
	// When ctx ends before the transaction has begun, the error is ctx.Err()
	// and nothing was taken. After that it is an *InDoubt without a Fate.
	Accept(ctx context.Context, c Claim, ev *Event, park *Fault) (State, Fingerprint, error)
}
