package hook

import (
	"context"
	"time"
)

// Source hands out the events of a queue to be processed.
type Source interface {
	// Receive returns the next event, and waits for one. It reconnects by
	// itself; its error is that of ctx, or one that trying again does not mend.
	Receive(ctx context.Context) (Delivery, error)

	// Prefetch says how many events may be handed out and not settled yet.
	Prefetch(n int)
}

// Delivery is one event that was handed out. It is settled once, by one of the
// last four methods. One that returned an error has settled nothing: Return it.
// A delivery that nobody settles is handed out again when its consumer is gone.
type Delivery interface {
	Event() *Event

	// Redeliveries returns how often the event was handed out before and not
	// settled: the count of crashes, and not of failed attempts.
	Redeliveries() int

	// Done removes the event: it was processed.
	Done(ctx context.Context) error

	// Later hands the event out again after some time: in the queue's shortest
	// tier that is at least that long, or else in its longest. With a fault the
	// event counts one more attempt.
	Later(ctx context.Context, after time.Duration, f *Fault) error

	// Dead keeps the event as a dead letter.
	Dead(ctx context.Context, f Fault) error

	// Return hands the event back untouched, to whoever asks next.
	Return(ctx context.Context) error
}

// Handler processes an event. nil means that it is processed, a *Fault what the
// fault says, and any other error that it may be tried again.
type Handler interface {
	Handle(ctx context.Context, ev *Event) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, ev *Event) error

// Handle implements Handler.
func (f HandlerFunc) Handle(ctx context.Context, ev *Event) error { return f(ctx, ev) }

// Once is what a Handler may be beside: one that keeps its own inbox, because
// it can record the event and its effect in one transaction.
type Once interface {
	// HandleOnce returns Ours when the effect is there now, and Committed with
	// the fingerprint of the one that was processed before.
	HandleOnce(ctx context.Context, c Claim, ev *Event) (State, Fingerprint, error)
}

// Failed is what a Delivery may be beside: one that knows when its event failed
// for the first time. The zero time means that it does not.
type Failed interface {
	FirstFault() time.Time
}
