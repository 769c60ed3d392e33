package postgres

import (
	"errors"
	"time"

	"go.uber.org/zap"
)

// StoreOptions are the settings of a Store.
type StoreOptions struct {
	// DSN returns how to connect: a URL such as postgres://user@host/database,
	// or words such as "host=db user=hookgate". It is asked for each new
	// connection, so that a changed password is used at once. Required.
	DSN func() (string, error)

	// Durable makes a change outlive a crash of the server once it is answered.
	// An inbox needs that. At the edge it costs time, and what is lost without
	// is some copies, for the inbox. Default: false.
	Durable bool

	// Timeout bounds a claim in all: the wait for a connection, one retry. What
	// settles claims has a second, or as long as this. Default: 120ms.
	Timeout time.Duration

	// Connections is how many there are at most. Four are always open.
	// Default: 16.
	Connections int

	// Logger gets changes of the store's state. Default: none.
	Logger *zap.Logger
}

// Bounds that are nobody's business to set.
const (
	defaultClaim  = 120 * time.Millisecond
	settleTimeout = time.Second // a commit, a release, a renewal, a step of the expiry
	dialTimeout   = time.Second
	warm          = 4 // connections: a burst at the moment of a switch must not wait for new ones

	tickEvery   = time.Second // how often a store that is not in use, or does not work, is probed
	expireEvery = time.Minute // how often what has run out is deleted, with some jitter
	expireBatch = 1000        // rows in one statement
	expirePause = 20 * time.Millisecond
)

// withDefaults checks the options and fills in what was left out.
func (o StoreOptions) withDefaults() (StoreOptions, error) {
	switch {
	case o.DSN == nil:
		return o, errors.New("postgres: a DSN is required")
	case o.Timeout < 0 || o.Connections < 0:
		return o, errors.New("postgres: a bound is negative")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultClaim
	}
	if o.Connections == 0 {
		o.Connections = 16
	}
	o.Connections = max(o.Connections, warm+1)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o, nil
}

// settle is how long what settles claims may take.
func (o StoreOptions) settle() time.Duration { return max(o.Timeout, settleTimeout) }

// connector says how the store connects.
func (o StoreOptions) connector() connector {
	c := connector{
		dsn: o.DSN, connect: dialTimeout, statement: 2 * o.settle(), lock: o.Timeout,
		most: o.Connections, warm: warm, durable: o.Durable, prepared: []string{claimSQL},
		// Whoever waited for another's change sees it then, whatever the
		// database has set.
		params: map[string]string{"default_transaction_isolation": "read committed"},
	}
	if !o.Durable {
		c.params["synchronous_commit"] = "off"
	}
	return c
}
