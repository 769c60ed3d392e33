package hook

import "time"

// Kind is the class of a fault.
type Kind string

// The kinds of faults. The set is closed: it is a metric label.
const (
	KindInvalid   Kind = "invalid"   // does not meet its contract
	KindConflict  Kind = "conflict"  // another body under an ID that was taken before
	KindPermanent Kind = "permanent" // will fail each time
	KindTransient Kind = "transient" // may succeed later
	KindExhausted Kind = "exhausted" // failed too often
	KindPoison    Kind = "poison"    // crashed its consumer
)

// Fault says why an event was not processed. It is an error.
type Fault struct {
	Kind       Kind
	Message    string        // for a person; never a value of the body
	Violations []Violation   // for KindInvalid: what the contract found
	Status     int           // HTTP status of the downstream, 0 for none
	RetryAfter time.Duration // what the downstream asked for, 0 for nothing
	Attempt    int           // failed attempts, this one included
	Time       time.Time     // when it failed
	First      time.Time     // when it failed for the first time
	Err        error         // the cause, not kept with a dead letter
}

// Error returns kind and message.
func (f *Fault) Error() string { return string(f.Kind) + ": " + f.Message }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }
