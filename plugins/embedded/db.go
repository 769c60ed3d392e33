// Package embedded is a store and a queue in one file, for an edge with nothing
// else installed. An event and the record of its ID are written in one
// transaction, which is on disk before the call returns.
//
// The file is a bbolt database (https://pkg.go.dev/go.etcd.io/bbolt). One
// goroutine writes; it takes what is waiting at the moment, up to 512
// operations, and commits it at once, so that many callers share the price of
// one sync.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// DefaultMaxSize is how large the data may grow where nothing else is said, in
// bytes.
const DefaultMaxSize = 4 << 30

const (
	maxBatch    = 512             // operations in one transaction
	openTimeout = 2 * time.Second // for the file's lock
	sweepEvery  = time.Second     // expired keys are looked for so often
	initialMmap = 256 << 20       // bytes of address space, so that growing rarely remaps
)

// Options of a DB.
type Options struct {
	// Path of the file. Its folder is made if it is not there. Required.
	Path string

	// MaxSize is how large the data may grow, in bytes. At 90 % of it new
	// events are refused. Default: 4 GiB.
	MaxSize int64

	// Logger. Default: none.
	Logger *zap.Logger

	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// DB is the store and the queue. It implements hook.Accepter and
// hook.Inspector.
type DB struct {
	path    string
	logger  *zap.Logger
	now     func() time.Time
	maxSize atomic.Int64
	ops     chan *op

	mu    sync.RWMutex // guards what follows, and the sending to ops
	phase phase
	bolt  *bbolt.DB
	done  chan struct{} // closed when the writer has ended

	bad   atomic.Pointer[error] // why the file cannot be trusted any more
	full  atomic.Bool
	stats counters

	commit func(*bbolt.Tx) error // a test makes it fail
}

type phase uint8

const (
	created phase = iota
	running
	closed
)

// The errors of a DB that is not, or no longer, of use.
var (
	errNotStarted = errors.New("embedded: not started")
	errClosed     = errors.New("embedded: closed")
	errFull       = errors.New("embedded: the data has reached 90 % of its bound")
)

// New returns a DB. It does not touch the disk; Start does.
func New(opts Options) (*DB, error) {
	if opts.Path == "" {
		return nil, errors.New("embedded: a path is required")
	}
	if opts.MaxSize < 0 {
		return nil, errors.New("embedded: the largest size is negative")
	}
	if opts.MaxSize == 0 {
		opts.MaxSize = DefaultMaxSize
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	db := &DB{
		path:   opts.Path,
		logger: opts.Logger,
		now:    opts.Now,
		ops:    make(chan *op, maxBatch),
		done:   make(chan struct{}),
		commit: (*bbolt.Tx).Commit,
	}
	db.maxSize.Store(opts.MaxSize)
	return db, nil
}

// SetMaxSize changes the bound, in bytes, while the file is open.
func (db *DB) SetMaxSize(n int64) { db.maxSize.Store(n) }

// Start opens the file. It may be called again.
func (db *DB) Start() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	switch db.phase {
	case running:
		return nil
	case closed:
		return errClosed
	}
	if err := os.MkdirAll(filepath.Dir(db.path), 0o700); err != nil {
		return fmt.Errorf("embedded: the folder for the data cannot be made: %w", err)
	}
	bolt, err := bbolt.Open(db.path, 0o600, &bbolt.Options{
		Timeout:         openTimeout,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: initialMmap,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("embedded: %s is in use by another process", db.path)
	case err != nil:
		return fmt.Errorf("embedded: %s cannot be opened: %w", db.path, err)
	}
	if err := db.prepare(bolt); err != nil {
		return errors.Join(fmt.Errorf("embedded: %s: %w", db.path, err), bolt.Close())
	}
	db.bolt, db.phase = bolt, running
	go db.write(bolt)
	return nil
}

// Close takes nothing new, writes what was taken, and closes the file. It may
// be called again, and for a DB that was never started.
func (db *DB) Close(ctx context.Context) error {
	db.mu.Lock()
	before := db.phase
	db.phase = closed
	if before == running {
		close(db.ops)
	}
	db.mu.Unlock()
	if before == created {
		return nil
	}
	select {
	case <-db.done:
	case <-ctx.Done():
		return fmt.Errorf("embedded: closing %s: %w", db.path, ctx.Err())
	}
	if before == closed {
		return nil
	}
	if err := db.bolt.Close(); err != nil {
		return fmt.Errorf("embedded: closing %s: %w", db.path, err)
	}
	return nil
}

// Ready implements hook.Store and hook.Queue.
func (db *DB) Ready() error {
	if err := db.usable(); err != nil {
		return err
	}
	if db.full.Load() {
		return errFull
	}
	return nil
}

// usable returns nil while operations can be done.
func (db *DB) usable() error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.usableLocked()
}

func (db *DB) usableLocked() error {
	switch db.phase {
	case created:
		return errNotStarted
	case closed:
		return errClosed
	}
	if bad := db.bad.Load(); bad != nil {
		return *bad
	}
	return nil
}

// Interface guards
var (
	_ hook.Accepter  = (*DB)(nil)
	_ hook.Inspector = (*DB)(nil)
)
