package redis

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

const (
	flushers   = 3    // goroutines that send claims: one stalled connection holds up one of them
	maxBatch   = 64   // claims in a pipeline
	queueDepth = 1024 // claims that may wait for a flusher

	tickEvery   = time.Second // how often a store that is not in use, or does not work, is probed
	surveyEvery = time.Minute // how often the server is asked about itself
)

// The phases of a Store, in their order.
const (
	phaseNew int32 = iota
	phaseRunning
	phaseClosed
)

// Store is a store of claims in Redis. It implements hook.Store. All methods
// may be called by many goroutines at once.
type Store struct {
	opts Options
	log  *zap.Logger

	mu       sync.Mutex // Start, Close
	phase    atomic.Int32
	client   goredis.UniversalClient // set once, before phaseRunning
	cluster  *goredis.ClusterClient  // the same, in the mode cluster
	stopping chan struct{}           // closed by Close
	running  sync.WaitGroup          // flushers and the watch

	queue     chan *op
	gathering sync.Mutex // held by the one flusher that waits for claims
	ops       sync.Pool  // *op
	dialect   dialect
	health    health
	facts     atomic.Pointer[facts] // nil until the server was asked
	counts    counts

	// Seams for tests.
	tick, survey time.Duration
}

// New checks the options. It does not connect.
func New(opts Options) (*Store, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts:     opts,
		log:      opts.Logger,
		stopping: make(chan struct{}),
		queue:    make(chan *op, queueDepth),
		tick:     tickEvery,
		survey:   surveyEvery,
	}
	s.ops.New = func() any { return newOp() }
	s.dialect.forced = opts.TwoStep
	s.health.fail(ErrNotStarted)
	return s, nil
}

// Start begins to connect, and to watch the server. It waits for neither: a
// server that is down now is used once it is there. It may be called again. Its
// only error is ErrClosed.
func (s *Store) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase.Load() {
	case phaseRunning:
		return nil
	case phaseClosed:
		return fmt.Errorf("redis: %w", ErrClosed)
	}
	s.health.fail(errNoAnswerYet)
	s.client = s.opts.client()
	s.cluster, _ = s.client.(*goredis.ClusterClient)
	s.phase.Store(phaseRunning)
	for range flushers {
		s.running.Go(s.flush)
	}
	s.running.Go(s.watch)
	return nil
}

// Close takes nothing new, gives up what waits, and closes the connections. It
// may be called again, and without Start. When ctx ends first, its error is
// returned; the connections are closed all the same.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.phase.Swap(phaseClosed)
	if was == phaseClosed {
		return nil
	}
	close(s.stopping)
	if was == phaseNew {
		return nil
	}
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }() // they end within Timeout
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("redis: close: %w", ctx.Err())
	}
	_ = s.client.Close() // fails only on connections that are broken already
	return err
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

func (s *Store) key(k string) string { return s.opts.Prefix + k }

// Interface guard
var _ hook.Store = (*Store)(nil)
