package consumer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/hook"
)

// Consumer processes the events of a Source. Run works until it is told to
// leave, once.
type Consumer struct {
	opts    Options
	once    hook.Once // nil unless the handler is one
	core    *accept.Core
	gate    *gate
	logger  *zap.Logger
	metrics *Metrics

	// The three ends, in their order: nothing new is fetched, what is at work
	// is interrupted, the queue is told nothing more.
	fetching, working, settling stage

	mu      sync.Mutex
	started bool
	closing chan struct{} // closed by Close: from then on its context bounds the end
	done    chan struct{} // closed when Run has returned
	workers sync.WaitGroup
	atWork  atomic.Int64 // events in the handler

	prefetch struct {
		sync.Mutex
		last int
	}
}

// stage is a part of a Consumer's life that can be ended.
type stage struct {
	ctx context.Context
	end context.CancelFunc
}

func newStage() stage {
	ctx, end := context.WithCancel(context.Background())
	return stage{ctx, end}
}

func (s stage) ended() bool { return s.ctx.Err() != nil }

// Errors of Run and Close.
var (
	// ErrRan means that Run was called before.
	ErrRan = errors.New("the consumer has run already")

	// ErrLeft means that a handler did not return in time after its context
	// had ended. The queue hands its event out again.
	ErrLeft = errors.New("an event is still being processed")
)

// New checks the options. It asks nobody: Run does.
func New(opts Options) (*Consumer, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Consumer{
		opts: opts, gate: newGate(opts), logger: opts.Logger, metrics: opts.Metrics,
		fetching: newStage(), working: newStage(), settling: newStage(),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	c.once, _ = opts.Handler.(hook.Once)
	return c, nil
}

// Run processes events until ctx ends, until Close is called, or until the
// source has an error that it cannot mend, which is returned. What is at work
// then is given Options.Grace to end, and is handed back, for which there are
// three seconds more: so the end takes 8 s at most, unless Grace is set.
func (c *Consumer) Run(ctx context.Context) error {
	switch first, err := c.begin(); {
	case err != nil:
		return err
	case !first:
		return ErrRan
	}
	defer close(c.done)
	defer context.AfterFunc(ctx, c.fetching.end)()

	err := c.fetch()
	c.fetching.end()
	err = errors.Join(err, c.drain())
	c.metrics.setDown(false, false)
	return err
}

// begin makes what Run needs. It reports whether nobody has before.
func (c *Consumer) begin() (first bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started {
		return false, nil
	}
	if c.opts.Inbox != nil && c.once == nil {
		c.core, err = accept.New(accept.Options{Store: boundedStore{c.opts.Inbox}, Logger: c.logger})
	}
	c.started = err == nil
	return c.started, err
}

// Close lets a Run that goes on take nothing new, waits until what is at work
// is done, and lets the rest be handed back before ctx ends. It returns when
// Run has, or with the error of ctx. It may be called again, and without Run.
func (c *Consumer) Close(ctx context.Context) error {
	c.mu.Lock()
	if !closed(c.closing) {
		close(c.closing)
	}
	started := c.started
	c.mu.Unlock()
	c.fetching.end()
	if !started {
		return nil
	}
	interrupt, cancel := early(ctx)
	defer cancel()
	select {
	case <-c.done:
		return nil
	case <-interrupt.Done():
	}
	c.working.end()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.settling.end()
		return ctx.Err()
	}
}

// early returns a context that ends somewhat before another, so that there is
// time to hand back what is interrupted then.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(time.Second, time.Until(end)/4)))
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// drain waits for what is at work, and interrupts it when it takes too long:
// after the grace, or when Close says so. A queue or an inbox that does not
// answer cannot make it last longer: what is not settled is handed out again.
func (c *Consumer) drain() error {
	idle := make(chan struct{})
	go func() { c.workers.Wait(); close(idle) }()
	defer c.working.end()
	defer c.settling.end()

	if c.overdue(idle, c.opts.Grace) {
		c.working.end()
		if c.overdue(idle, handBackTime) {
			c.settling.end()
		}
	}
	select {
	case <-idle:
	case <-c.settling.ctx.Done():
	}
	// What listens to its context ends now.
	last, cancel := context.WithTimeout(context.Background(), lastTime)
	defer cancel()
	select {
	case <-idle:
		return c.closeCore(last)
	case <-last.Done():
		_ = c.closeCore(last)
		return ErrLeft
	}
}

func (c *Consumer) closeCore(ctx context.Context) error {
	if c.core == nil {
		return nil
	}
	return c.core.Close(ctx)
}

// overdue waits until nothing is at work, and reports whether that takes longer
// than it may. From Close on it is Close that bounds it.
func (c *Consumer) overdue(idle <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
	case <-c.closing:
	case <-timer.C:
		return true
	}
	return false
}

// Status is what a Consumer does now.
type Status struct {
	Running bool
	Working int  // events that are being processed
	Outage  bool // the downstream is down, and probed
	NoInbox bool // the inbox cannot be asked, and is probed
}

// Status returns the state of now, from memory.
func (c *Consumer) Status() Status {
	c.mu.Lock()
	s := Status{Running: c.started && !closed(c.done)}
	c.mu.Unlock()
	s.Outage, s.NoInbox = c.gate.down()
	s.Working = int(c.atWork.Load())
	return s
}
