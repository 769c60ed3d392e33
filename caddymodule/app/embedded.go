package app

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/embedded"
)

func init() {
	caddy.RegisterModule(new(EmbeddedStore))
	caddy.RegisterModule(new(EmbeddedQueue))
}

// EmbeddedFile is the name of the embedded store's file in the data folder.
const EmbeddedFile = "hookgate.db"

// EmbeddedStore keeps claims in a file on this node. It takes no settings.
// Where the queue is embedded too, an event and its claim are written in one
// transaction.
type EmbeddedStore struct{}

// CaddyModule returns the Caddy module information.
func (*EmbeddedStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "hookgate.stores.embedded",
		New: func() caddy.Module { return new(EmbeddedStore) },
	}
}

// OpenStore implements StoreDriver.
func (*EmbeddedStore) OpenStore(env Env) (hook.Store, Handle, error) {
	h, err := acquire(env)
	if err != nil {
		return nil, nil, err
	}
	return h.db, h, nil
}

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	store embedded
func (*EmbeddedStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	if d.NextArg() {
		return d.ArgErr()
	}
	return parse.Block(d, nil)
}

// EmbeddedQueue keeps accepted events and dead letters in a file on this node.
type EmbeddedQueue struct {
	// How large the data may grow, in bytes. At 90 % of it new events are
	// answered 503; those that are in the queue stay and are processed.
	// Default: 4 GiB.
	MaxSize int64 `json:"max_size,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*EmbeddedQueue) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "hookgate.queues.embedded",
		New: func() caddy.Module { return new(EmbeddedQueue) },
	}
}

// OpenQueue implements QueueDriver.
func (q *EmbeddedQueue) OpenQueue(env Env) (hook.Queue, Handle, error) {
	if err := checkFileSize(q.MaxSize); err != nil {
		return nil, nil, err
	}
	h, err := acquire(env)
	if err != nil {
		return nil, nil, err
	}
	h.maxSize = q.MaxSize
	if h.maxSize == 0 {
		h.maxSize = embedded.DefaultMaxSize
	}
	return h.db, h, nil
}

// OpenSource implements SourceDriver. An event in the file can be put off for
// any time.
func (q *EmbeddedQueue) OpenSource(env Env, _ []time.Duration) (hook.Source, Handle, error) {
	h, err := acquire(env)
	if err != nil {
		return nil, nil, err
	}
	return &embeddedSource{DB: h.db, handle: h}, h, nil
}

// embeddedSource takes the events of a file while no forwarder does.
type embeddedSource struct {
	*embedded.DB
	handle *embeddedHandle
}

// Receive implements hook.Source.
func (s *embeddedSource) Receive(ctx context.Context) (hook.Delivery, error) {
	if err := s.handle.consumes(ctx); err != nil {
		return nil, err
	}
	return s.DB.Receive(ctx)
}

// UnmarshalCaddyfile sets up the queue. Syntax:
//
//	queue embedded {
//		max_size <size>
//	}
func (q *EmbeddedQueue) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	if d.NextArg() {
		return d.ArgErr()
	}
	return parse.Block(d, map[string]parse.Func{"max_size": parseFileSize(&q.MaxSize)})
}

// minFileSize is what a file may be bounded to at the least: an empty one takes
// some of it, and 90 % are for events.
const minFileSize = 256 << 10

// checkFileSize holds the bound of a file against what it can be. 0 is for the
// default.
func checkFileSize(n int64) error {
	if n != 0 && n < minFileSize {
		return fmt.Errorf("max_size: %d bytes are less than 256KiB, and leave no room for events", n)
	}
	return nil
}

func parseFileSize(p *int64) parse.Func {
	read := parse.Size(p)
	return func(d *caddyfile.Dispenser) error {
		if err := read(d); err != nil {
			return err
		}
		if err := checkFileSize(*p); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

// files has the open files by path: a file must not be opened twice, and
// stays open over a reload.
var files = caddy.NewUsagePool()

// file is an entry of files.
type file struct {
	db    *embedded.DB
	inUse bool // by another process, when this one wanted it first

	backlog *accept.Backlog
	turns   turns
	spools  atomic.Int64 // configs that spool into it

	mu     sync.Mutex
	bounds []*embeddedHandle // those that bound its size; the last one counts
}

// Destruct implements caddy.Destructor, when the last user has left.
func (f *file) Destruct() error {
	ctx, cancel := drainContext()
	defer cancel()
	return f.db.Close(ctx)
}

// bound lets a handle bound the size of the file. While another one does, it
// has to wait until its config runs: one that fails to start changes nothing.
func (f *file) bound(h *embeddedHandle, runs bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Contains(f.bounds, h) || len(f.bounds) > 0 && !runs {
		return
	}
	f.bounds = append(f.bounds, h)
	f.db.SetMaxSize(h.maxSize)
}

// unbound takes back what bound did.
func (f *file) unbound(h *embeddedHandle) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bounds = slices.DeleteFunc(f.bounds, func(other *embeddedHandle) bool { return other == h })
	if n := len(f.bounds); n > 0 {
		f.db.SetMaxSize(f.bounds[n-1].maxSize)
	}
}

// oldest returns how long the oldest event in the file that is not at work has
// been there.
func (f *file) oldest() time.Duration {
	at, err := f.db.Oldest()
	if err != nil || at.IsZero() {
		return 0
	}
	return max(0, time.Since(at))
}

// embeddedHandle is one config's hold on a file, as a store or as a queue.
type embeddedHandle struct {
	*file
	path    string
	maxSize int64 // 0: leave it to the queue

	consuming sync.Mutex
	consumer  bool // it has a turn as a consumer, until it is released
}

// consumes waits for a turn to take events, which lasts until Release.
func (h *embeddedHandle) consumes(ctx context.Context) error {
	h.consuming.Lock()
	defer h.consuming.Unlock()
	if h.consumer {
		return nil
	}
	err := h.turns.take(ctx, false)
	h.consumer = err == nil
	return err
}

func acquire(env Env) (*embeddedHandle, error) {
	path := filepath.Join(env.DataDir, EmbeddedFile)
	v, _, err := files.LoadOrNew(path, func() (caddy.Destructor, error) {
		db, err := embedded.New(embedded.Options{Path: path, Logger: lasting(env.Logger)})
		return &file{db: db, inUse: embedded.InUse(path), backlog: accept.NewBacklog()}, err
	})
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return &embeddedHandle{file: v.(*file), path: path}, nil
}

// Blocked implements blocker.
func (h *embeddedHandle) Blocked() bool { return h.inUse }

// Start implements Handle.
func (h *embeddedHandle) Start() error {
	if h.inUse { // the servers have no sockets: see Runtime.serve
		return fmt.Errorf("embedded: the file %s %w", h.path, embedded.ErrInUse)
	}
	if h.maxSize > 0 {
		h.bound(h, false)
	}
	return h.db.Start()
}

// Running implements runner.
func (h *embeddedHandle) Running() {
	if h.maxSize > 0 {
		h.bound(h, true)
	}
}

// Release implements Handle.
func (h *embeddedHandle) Release() error {
	h.unbound(h)
	h.consuming.Lock()
	if h.consumer {
		h.consumer = false
		h.turns.give()
	}
	h.consuming.Unlock()
	_, err := files.Delete(h.path)
	return err
}

// Interface guards
var (
	_ StoreDriver           = (*EmbeddedStore)(nil)
	_ blocker               = (*embeddedHandle)(nil)
	_ runner                = (*embeddedHandle)(nil)
	_ QueueDriver           = (*EmbeddedQueue)(nil)
	_ SourceDriver          = (*EmbeddedQueue)(nil)
	_ caddyfile.Unmarshaler = (*EmbeddedStore)(nil)
	_ caddyfile.Unmarshaler = (*EmbeddedQueue)(nil)
)
