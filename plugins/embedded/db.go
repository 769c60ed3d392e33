package embedded

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

const (
	maxBatch   = 512          // operations in a transaction
	queueDepth = 2 * maxBatch // operations that may wait for the next one
	tickEvery  = time.Second  // how often the idle writer looks for expired keys
)

// The phases of a DB, in their order.
const (
	phaseNew int32 = iota
	phaseRunning
	phaseClosed
)

// DB is a store and a queue in one file. It implements hook.Accepter,
// hook.Source, hook.DeadLetters and hook.Inspector. All methods may be called by
// many goroutines at once.
//
// A file must not be opened twice, not even by the same process: share the DB.
type DB struct {
	path string
	log  *zap.Logger
	now  func() time.Time

	mu    sync.Mutex // Start, Close
	phase atomic.Int32
	bolt  *bolt.DB // set once, before phaseRunning

	ops      chan *op
	enough   atomic.Int64  // how many the writer waits for, 0: it does not wait
	crowd    chan struct{} // of capacity 1: there are as many
	pool     sync.Pool     // *op
	stopping chan struct{} // closed by Close
	stopped  chan struct{} // closed when the writer has ended
	closeErr error         // readable when stopped is closed

	fresh *fresh // of the writer

	gauges
	desk     *desk
	sweeping chan struct{} // holds a value during a sweep of the dead letters

	bad    atomic.Pointer[error] // why the store is marked bad
	broken chan struct{}         // closed when it is
	noRoom atomic.Bool           // the last transaction found no space
	full   atomic.Bool           // as last logged

	surveyed lastSurvey

	// Seams for tests.
	commit      func(*bolt.Tx) error
	tight       func(path string) bool
	tick        time.Duration
	maxLinger   time.Duration
	freshEnough int
	keepsFresh  bool // fresh keys stay where they are when the file is closed
}

// New checks the options. It touches nothing on disk.
func New(opts Options) (*DB, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &DB{
		path:     opts.Path,
		log:      opts.Logger,
		now:      opts.Now,
		ops:      make(chan *op, queueDepth),
		crowd:    make(chan struct{}, 1),
		stopping: make(chan struct{}),
		stopped:  make(chan struct{}),
		broken:   make(chan struct{}),
		desk:     newDesk(),
		sweeping: make(chan struct{}, 1),
		commit:   (*bolt.Tx).Commit,
		tight:    tight,
		tick:     tickEvery,

		maxLinger:   maxLinger,
		freshEnough: freshEnough,
	}
	d.pool.New = func() any { return &op{done: make(chan struct{}, 1)} }
	d.setBound(opts.MaxSize)
	return d, nil
}

// Start opens the file and begins to write. It may be called again, also after
// it failed. Its errors are ErrClosed, ErrInUse, ErrFormat, or say what the
// operating system refused.
func (d *DB) Start() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.phase.Load() {
	case phaseRunning:
		return nil
	case phaseClosed:
		return fmt.Errorf("embedded: %w", ErrClosed)
	}
	db, c, err := open(d.path)
	if err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	if d.fresh, err = readFresh(db); err != nil {
		_ = db.Close()
		return fmt.Errorf("embedded: the file %s %w", d.path, err)
	}
	d.bolt = db
	d.storeCounts(c)
	if err := d.measure(); err != nil {
		_ = db.Close()
		return fmt.Errorf("embedded: the file %s: %w", d.path, err)
	}
	d.setBound(d.maxBytes.Load())
	d.phase.Store(phaseRunning)
	d.noteFull()
	d.warnOfRights()
	d.roomToSync()
	go d.write()
	return nil
}

// Close takes nothing new, writes what waits, and closes the file. It may be
// called again, and without Start. When ctx ends first, its error is returned
// and the writer goes on to the end by itself.
func (d *DB) Close(ctx context.Context) error {
	d.mu.Lock()
	switch d.phase.Swap(phaseClosed) {
	case phaseNew:
		close(d.stopping)
		close(d.stopped)
	case phaseRunning:
		close(d.stopping)
	}
	d.mu.Unlock()
	select {
	case <-d.stopped:
		return d.closeErr
	case <-ctx.Done():
		return fmt.Errorf("embedded: close: %w", ctx.Err())
	}
}

// Ready returns nil, or ErrNotStarted, ErrClosed, ErrBad or ErrFull with the
// details. It answers from memory.
func (d *DB) Ready() error {
	if err := d.serving(); err != nil {
		return err
	}
	return d.fullness()
}

// serving returns why no operation can be taken at all.
func (d *DB) serving() error {
	switch d.phase.Load() {
	case phaseNew:
		return ErrNotStarted
	case phaseClosed:
		return ErrClosed
	}
	if bad := d.bad.Load(); bad != nil {
		return *bad
	}
	return nil
}

// markBad ends the service: nobody knows what of the transaction is on disk,
// and a later fsync would not tell.
func (d *DB) markBad(cause error) {
	err := fmt.Errorf("%w: %w", ErrBad, withoutPath(cause))
	if d.bad.CompareAndSwap(nil, &err) {
		close(d.broken)
		d.log.Error("embedded store is marked bad, nothing is taken until the process is started again", zap.Error(cause))
	}
}

// Interface guards
var (
	_ hook.Accepter  = (*DB)(nil)
	_ hook.Inspector = (*DB)(nil)
)
