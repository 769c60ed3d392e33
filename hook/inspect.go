package hook

import (
	"context"
	"time"
)

// Counts is how many events a queue holds, by state.
type Counts struct {
	Ready  int // waiting to be processed
	Due    int // to be processed again at a later time
	InWork int // handed out and not settled
	Dead   int // dead letters

	// Tells says whether the queue counts Due and InWork: else they are 0
	// whatever there is.
	Tells bool
}

// Entry is one event as a queue holds it.
type Entry struct {
	Seq   uint64    // position in the queue, ascending
	At    time.Time // when it came in
	Event *Event
	Fault *Fault // of a dead letter, or of the last attempt that failed
}

// QueueState names a part of a queue.
type QueueState string

// The states that can be looked at. The embedded queue shows all of them, the
// others ready and dead.
const (
	StateReady  QueueState = "ready"
	StateDue    QueueState = "due"
	StateInWork QueueState = "in_work"
	StateDead   QueueState = "dead"
)

// Inspector is what a Queue may offer beside: a look that takes nothing away
// and changes no order.
type Inspector interface {
	Counts(ctx context.Context) (Counts, error)

	// Peek returns up to limit entries of the state with a Seq above after,
	// oldest first.
	Peek(ctx context.Context, s QueueState, after uint64, limit int) ([]Entry, error)
}
