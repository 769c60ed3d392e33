package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// The phases of a Store, in their order.
const (
	phaseNew int32 = iota
	phaseRunning
	phaseClosed
)

// Store is a store of claims in the table hookgate.claims. It implements
// hook.Store. All methods may be called by many goroutines at once.
type Store struct {
	opts StoreOptions
	log  *zap.Logger

	mu      sync.Mutex // Start, Close
	phase   atomic.Int32
	pool    *pgxpool.Pool // set once, before phaseRunning
	stop    context.CancelFunc
	running sync.WaitGroup // the watch, and the expiry
	epoch   atomic.Int64   // how often the connections were given up

	health health
	counts counts

	// Seams for tests.
	tick, expiry time.Duration
}

// NewStore checks the options. It does not connect.
func NewStore(opts StoreOptions) (*Store, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := opts.connector().config(); err != nil {
		return nil, err
	}
	s := &Store{opts: opts, log: opts.Logger, tick: tickEvery, expiry: expireEvery}
	s.health.fail(ErrNotStarted)
	return s, nil
}

// Start begins to connect, to watch the server, and to delete what has run out.
// It waits for none of them: a server that is down now is used once it is
// there. It may be called again.
func (s *Store) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase.Load() {
	case phaseRunning:
		return nil
	case phaseClosed:
		return fmt.Errorf("postgres: %w", ErrClosed)
	}
	ctx, stop := context.WithCancel(context.Background())
	pool, err := s.opts.connector().pool(ctx)
	if err != nil {
		stop()
		return err
	}
	s.health.fail(errNoAnswerYet)
	s.pool, s.stop = pool, stop
	s.phase.Store(phaseRunning)
	s.running.Go(func() { s.watch(ctx) })
	s.running.Go(func() { s.expireNowAndThen(ctx) })
	return nil
}

// Close takes nothing new, waits for what runs, and closes the connections. It
// may be called again, and without Start. When ctx ends first, its error is
// returned; the connections are closed when they are given back.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase.Swap(phaseClosed) != phaseRunning {
		return nil
	}
	s.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.running.Wait()
		s.pool.Close()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("postgres: close: %w", ctx.Err())
	}
}

// Ready returns nil, or why the last operation, or the last look at the
// server, failed. It answers from memory.
func (s *Store) Ready() error {
	if err := s.serving(); err != nil {
		return err
	}
	return s.health.get()
}

// serving returns why no operation can be taken at all.
func (s *Store) serving() error {
	switch s.phase.Load() {
	case phaseNew:
		return ErrNotStarted
	case phaseClosed:
		return ErrClosed
	}
	return nil
}

// do runs an operation within a time and the caller's, and notes its outcome
// for Ready. An operation whose connection broke is run once more: each may be
// repeated.
func (s *Store) do(ctx context.Context, limit time.Duration, run func(context.Context) error) error {
	if err := s.serving(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	epoch := s.epoch.Load()
	err := run(bounded)
	if isLost(bounded, err) {
		s.counts.retries.Add(1)
		// Where the server has ended one connection, it has ended the others
		// as well. What was connected since is another's retry.
		if s.epoch.CompareAndSwap(epoch, epoch+1) {
			s.pool.Reset()
		}
		err = run(bounded)
	}
	if err == nil {
		s.health.ok()
		return nil
	}
	if left := over(ctx); left != nil {
		return left // the caller's time was short, which is nobody's fault
	}
	err = failure(bounded, err)
	s.counts.tally(err)
	s.health.note(err)
	return err
}

// over returns the error of a context that has ended, or is about to: a
// connection has the same deadline and may be a moment ahead.
func over(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && !end.After(time.Now()) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// Interface guards
var (
	_ hook.Store    = (*Store)(nil)
	_ hook.Lister   = (*Store)(nil)
	_ hook.Restorer = (*Store)(nil)
)
