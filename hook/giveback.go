package hook

import (
	"context"
	"time"
)

// Record is a committed key as a store holds it.
type Record struct {
	Key         string
	Fingerprint Fingerprint   // that it was committed with
	TTL         time.Duration // how long it stays committed yet
}

// Lister is what a Store may offer beside: it knows what was committed lately,
// so that a store which was away meanwhile can be told.
type Lister interface {
	// List calls fn with what was committed within the last time, by the
	// store's own clock, the newest first. An error of fn ends it, and is
	// returned.
	List(ctx context.Context, within time.Duration, fn func([]Record) error) error
}

// Restorer is what a Store may offer beside: it takes what another one has
// committed.
type Restorer interface {
	// Restore commits the keys that are free. A key that is pending or
	// committed is left as it is, without an error. It may be repeated.
	Restore(ctx context.Context, records ...Record) error
}

// Degrader is what a Store may offer beside Ready: it can be used, and a part of
// it cannot.
type Degrader interface {
	// Degraded returns what does not work, or "". It answers from memory, and
	// names no address and no secret.
	Degraded() string
}
