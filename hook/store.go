package hook

import (
	"context"
	"crypto/rand"
	"time"
)

// Claim reserves a key in a store: first pending under a lease, then committed
// for a longer time, or released.
type Claim struct {
	Key         string        // EventKey, ParkKey
	Token       Token         // tells this attempt from all others
	Fingerprint Fingerprint   // of the body the claim is for
	Lease       time.Duration // how long it stays pending by itself
	TTL         time.Duration // how long it stays committed
}

// Token identifies the attempt that holds a claim.
type Token [16]byte

// NewToken returns a random token.
func NewToken() Token {
	var t Token
	_, _ = rand.Read(t[:]) // never fails, see crypto/rand
	return t
}

// State is what a store says about a claim.
type State uint8

const (
	// Ours: the key was free, its lease had run out, or it is ours already.
	Ours State = iota + 1
	// Pending: somebody else's claim, its outcome still open.
	Pending
	// Committed: the event is durable. The store returns the fingerprint that
	// it was committed with.
	Committed
)

// String returns the state in lower case.
func (s State) String() string {
	switch s {
	case Ours:
		return "ours"
	case Pending:
		return "pending"
	case Committed:
		return "committed"
	}
	return "unknown"
}

// Store holds claims. Every method may be called by many goroutines at once.
// Its errors mean that the store could not be asked, or that its answer was
// lost: a method that failed may have taken effect.
type Store interface {
	// Claim takes the key if it is free, if its lease has run out, or if the
	// same token holds it already, so that it may be repeated after a lost
	// answer. It is also how one looks again at another's claim.
	Claim(ctx context.Context, c Claim) (State, Fingerprint, error)

	// Renew starts the lease anew. It reports false where the claim is not
	// held by the token any more.
	Renew(ctx context.Context, c Claim) (held bool, err error)

	// Release frees the key if it is pending under the same token. Anybody
	// else's claim, and a committed one, is left alone, without an error.
	Release(ctx context.Context, c Claim) error

	// Commit marks keys as durable, whoever holds them, in one round trip. It
	// may be repeated.
	Commit(ctx context.Context, c ...Claim) error

	// Ready returns nil, or why the store cannot be used now. It answers from
	// memory.
	Ready() error
}
