package live

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/genesys/ipranges"
)

// DefaultRefresh is how old the list gets before it is fetched anew.
const DefaultRefresh = 30 * time.Minute

// OldAge is the age from which a list is warned of.
const OldAge = 7 * 24 * time.Hour

// Options are those of a Keeper.
type Options struct {
	// Fetch asks Genesys for the ranges. Required.
	Fetch func(context.Context) (json.RawMessage, error)

	// Key is that of the list in the storage. Nodes that share it share the
	// list. Required.
	Key string

	// Refresh is how old the list gets before it is fetched anew, give or take
	// a tenth. Default: 30 min.
	Refresh time.Duration

	// Logger gets what changes, and what fails. Default: nobody.
	Logger *zap.Logger
}

// Keeper keeps the list. Views on it are for reading.
type Keeper struct {
	opts   Options
	ctx    context.Context
	cancel context.CancelFunc
	start  sync.Once
	done   chan struct{}

	mu     sync.Mutex
	record record
	views  []*View
	users  []*User
	stats  Stats // but for what the record says
	warned time.Time
}

// Stats are what there is to see of a keeper.
type Stats struct {
	Known     bool          // whether there is a list
	Age       time.Duration // since Genesys last confirmed it
	Ranges    int           // from which it sends, of all services
	Changes   uint64        // of the list, but for the first one
	Fetched   uint64        // answers that were the list, or became it
	Held      uint64        // answers that had shrunk, and were not taken
	Shared    uint64        // times that another node had asked
	Failed    uint64        // times that Genesys could not be asked, or its answer could not be used
	LastError string        // of the last time, "" where it went well
}

// New makes a keeper. It asks nobody yet.
func New(opts Options) (*Keeper, error) {
	if opts.Fetch == nil || opts.Key == "" {
		return nil, errors.New("live ranges: a source and a key are required")
	}
	if opts.Refresh <= 0 {
		opts.Refresh = DefaultRefresh
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	k := &Keeper{opts: opts, done: make(chan struct{})}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k, nil
}

// Start begins to keep the list. It may be called again.
func (k *Keeper) Start() {
	k.start.Do(func() {
		go func() {
			defer close(k.done)
			k.run(k.ctx)
		}()
	})
}

// Close ends the keeping. Views stay as they are.
func (k *Keeper) Close(ctx context.Context) error {
	k.cancel()
	k.start.Do(func() { close(k.done) })
	select {
	case <-k.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// User is a config that uses a keeper.
type User struct {
	// Storage has the list for all nodes, and after a restart. nil for none.
	Storage Storage

	// Changed is told of changes. nil for nobody.
	Changed func(Change)
}

// Attach makes a user the one whose storage is used, until another is attached
// or it is detached.
func (k *Keeper) Attach(u *User) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users = append(slices.DeleteFunc(k.users, func(other *User) bool { return other == u }), u)
}

// Detach takes a user away; the one before takes its place.
func (k *Keeper) Detach(u *User) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users = slices.DeleteFunc(k.users, func(other *User) bool { return other == u })
}

// Attached reports whether there is a user.
func (k *Keeper) Attached() bool { return k.user() != nil }

func (k *Keeper) user() *User {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.users) == 0 {
		return nil
	}
	return k.users[len(k.users)-1]
}

// Stats returns what there is to see now.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	if l := k.record.list; l != nil {
		s.Known, s.Age, s.Ranges = true, max(0, time.Since(k.record.confirmed)), len(ipranges.Select(l.entries, nil))
	}
	return s
}
