package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Mode is how the servers belong together.
type Mode string

// The modes.
const (
	ModeSingle   Mode = "single"   // one server
	ModeCluster  Mode = "cluster"  // Redis Cluster; the addresses are some of its nodes
	ModeSentinel Mode = "sentinel" // the addresses are those of the sentinels
)

// Credentials are what a connection identifies itself with. Both empty: with
// nothing. An empty user name stands for the user "default".
type Credentials struct{ Username, Password string }

// DefaultTimeout bounds an operation that was given no bound.
const DefaultTimeout = 100 * time.Millisecond

// Options are the settings of a Store.
type Options struct {
	// Mode is how the servers belong together. Default: single.
	Mode Mode

	// Addrs are host:port of the server, of nodes of the cluster, or of the
	// sentinels. Required.
	Addrs []string

	// Master is the name under which the sentinels know the servers. Required
	// in the mode sentinel, and only there.
	Master string

	// DB is the number of the logical database. A cluster has only 0. Default: 0.
	DB int

	// Credentials is asked for each new connection, so that a changed password
	// is used without a restart. It is called by many goroutines, under the
	// time of an operation. Default: none are sent.
	Credentials func(ctx context.Context) (Credentials, error)

	// SentinelCredentials is the same for connections to sentinels, which are
	// never sent Credentials. Only in the mode sentinel. Default: none are sent.
	SentinelCredentials func(ctx context.Context) (Credentials, error)

	// TLS is used towards all servers, sentinels too. Default: no TLS.
	TLS *tls.Config

	// Prefix is put in front of every key. Default: none.
	Prefix string

	// Inbox says that all keys are those of a consumer's inbox: its user need
	// have no rights to others, so that a probe takes one of them. Default: the
	// keys are those of hooks, and maybe of an inbox too.
	Inbox bool

	// Timeout bounds every operation in all: the wait for its turn, a new
	// connection, one retry. Default: 100ms.
	Timeout time.Duration

	// PoolSize is how many connections there are at most, in a cluster to each
	// node. Default: 16.
	PoolSize int

	// TwoStep claims in two commands even where the server knows one for it.
	// Default: as the server can.
	TwoStep bool

	// Logger gets changes of the store's state. Default: none.
	Logger *zap.Logger
}

// Check returns what New would refuse.
func (o Options) Check() error {
	_, err := o.withDefaults()
	return err
}

// withDefaults checks the options and fills in what was left out.
func (o Options) withDefaults() (Options, error) {
	if o.Mode == "" {
		o.Mode = ModeSingle
	}
	if !slices.Contains([]Mode{ModeSingle, ModeCluster, ModeSentinel}, o.Mode) {
		return o, fmt.Errorf("redis: unknown mode %q", o.Mode)
	}
	switch {
	case len(o.Addrs) == 0:
		return o, errors.New("redis: no address")
	case slices.Contains(o.Addrs, ""):
		return o, errors.New("redis: an address is empty")
	case o.Mode == ModeSingle && len(o.Addrs) > 1:
		return o, errors.New("redis: several addresses need the mode cluster or sentinel")
	case o.Mode == ModeSentinel && o.Master == "":
		return o, errors.New("redis: the mode sentinel needs the name of the master")
	case o.Mode != ModeSentinel && o.Master != "":
		return o, fmt.Errorf("redis: the mode %s has no name of a master", o.Mode)
	case o.Mode != ModeSentinel && o.SentinelCredentials != nil:
		return o, fmt.Errorf("redis: the mode %s has no credentials of sentinels", o.Mode)
	case o.DB < 0 || o.Mode == ModeCluster && o.DB != 0:
		return o, fmt.Errorf("redis: the mode %s has no database %d", o.Mode, o.DB)
	case o.Timeout < 0 || o.PoolSize < 0:
		return o, errors.New("redis: a bound is negative")
	}
	o.Addrs = slices.Clone(o.Addrs)
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.PoolSize == 0 {
		o.PoolSize = 16
	}
	// Every flusher needs a connection, and so does what settles claims.
	o.PoolSize = max(o.PoolSize, flushers+1)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o, nil
}
