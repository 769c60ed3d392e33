// Package accept is the accepting core: one state machine that takes each
// event once and says so only when it is durable.
//
// Spool is a queue of two, and Forwarder moves on what it has kept.
//
// A key is absent, then pending under a token and a lease, then committed, or
// released. Core runs any work under a claim; Gate takes events with it. The
// rules that everything here serves: no success before the work is durable, no
// permanent claim before that, no "duplicate" for what was never durable, and
// nobody releases another's claim.
package accept

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// Options of a Core.
type Options struct {
	// Store holds the claims. Required.
	Store hook.Store

	// Logger. Default: none.
	Logger *zap.Logger

	// PendingWait is how long another's pending claim is looked at again
	// before the answer is in_flight. Default: 150ms.
	PendingWait time.Duration

	// PollInterval is the time between two looks. Default: 25ms.
	PollInterval time.Duration

	// MaxDoubt is how long the lease of a claim in doubt is renewed at most.
	// Default: 10s.
	MaxDoubt time.Duration

	// CommitBatch is how many keys are committed in one round trip at most.
	// Default: 128.
	CommitBatch int
}

// settleTimeout bounds a release, a renewal or a batch of commits. They go on
// when the request's own time is over.
const settleTimeout = time.Second

// Core runs work under claims. It is safe for use by many goroutines.
type Core struct {
	opts    Options
	store   hook.Store
	logger  *zap.Logger
	commits *committer

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // calls of Do
	doubts  sync.WaitGroup // waiters, and releases; see enter
	stop    chan struct{}  // closed when waiters must end
}

// New returns a Core. Close ends it.
func New(opts Options) (*Core, error) {
	if opts.Store == nil {
		return nil, errors.New("accept: a store is required")
	}
	setDefault(&opts.PendingWait, 150*time.Millisecond)
	setDefault(&opts.PollInterval, 25*time.Millisecond)
	setDefault(&opts.MaxDoubt, 10*time.Second)
	setDefault(&opts.CommitBatch, 128)
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	c := &Core{opts: opts, store: opts.Store, logger: opts.Logger, stop: make(chan struct{})}
	c.commits = newCommitter(opts.Store, opts.Logger, opts.CommitBatch)
	return c, nil
}

func setDefault[T ~int | ~int64](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}

// Lease returns the lease for a claim whose work may take as long as timeout.
func Lease(timeout time.Duration) time.Duration { return max(2*time.Second, 4*timeout) }

// RetryAfter returns when to come back after an outcome that nobody knows: when
// the lease has surely run out.
func RetryAfter(lease time.Duration) time.Duration {
	return (lease + time.Second - 1).Truncate(time.Second) + time.Second
}

// Option changes one call of Do.
type Option func(doOptions) doOptions

type doOptions struct {
	renew  bool
	commit time.Duration
}

// Renewing renews the claim as long as the work runs, for work that may take
// longer than the lease.
func Renewing() Option { return func(o doOptions) doOptions { o.renew = true; return o } }

// Do claims and, if the claim is ours, runs work. It returns
//
//   - Ours and no error: the work succeeded, now; the commit is on its way
//   - Ours and an error that is ErrUncommitted: the work succeeded, now, and
//     there is no record of it; only with Committing
//   - Committed and the fingerprint of then: it succeeded before
//   - an error that hook.CodeOf has a code for: ErrInFlight, ErrDraining, the
//     store's, or the work's own. After a *hook.InDoubt of the work the claim
//     is kept, and a waiter settles it when its fate is known; after any other
//     error of the work it is released.
//
// A panic of the work goes on, and leaves the claim to its lease.
func (c *Core) Do(ctx context.Context, claim hook.Claim, work func(context.Context) error, opts ...Option) (hook.State, hook.Fingerprint, error) {
	var o doOptions
	for _, opt := range opts {
		o = opt(o)
	}
	if !c.enter() {
		return 0, hook.Fingerprint{}, hook.ErrDraining
	}
	defer c.leave()

	state, fp, claimed, err := c.claim(ctx, claim)
	if err != nil || state == hook.Committed {
		return state, fp, err
	}
	if age := time.Since(claimed); age > claim.Lease/2 {
		// By the time the work is done the claim may be another's.
		c.release(ctx, claim)
		return 0, hook.Fingerprint{}, &hook.Error{Code: hook.CodeStoreUnavailable, Err: fmt.Errorf("the store took %s to answer", age.Round(time.Millisecond))}
	}
	stopRenewing := func() {}
	if o.renew {
		stopRenewing = c.renewWhile(claim)
	}
	finished := false
	defer func() {
		if !finished { // a panic
			stopRenewing()
		}
	}()
	err = work(ctx)
	if err == nil && o.commit > 0 {
		// The renewal goes on: a commit that takes long must not cost the claim.
		err = c.commitNow(ctx, claim, o.commit)
		finished = true
		stopRenewing()
		return hook.Ours, claim.Fingerprint, err
	}
	finished = true
	stopRenewing()
	return c.settle(ctx, claim, err)
}

// settle does with the claim what the outcome of the work asks for.
func (c *Core) settle(ctx context.Context, claim hook.Claim, err error) (hook.State, hook.Fingerprint, error) {
	if err == nil {
		c.commits.add(claim)
		return hook.Ours, claim.Fingerprint, nil
	}
	if doubt, ok := errors.AsType[*hook.InDoubt](err); ok {
		c.watch(claim, doubt)
		return 0, hook.Fingerprint{}, inDoubt(claim, err)
	}
	c.release(ctx, claim)
	return 0, hook.Fingerprint{}, err
}

// inDoubt gives an error the code and the time to come back.
func inDoubt(claim hook.Claim, err error) error {
	return &hook.Error{Code: hook.CodeOutcomeUnknown, RetryAfter: RetryAfter(claim.Lease), Err: err}
}

// claim asks for the claim, and looks again while it is another's. since is when
// it asked last: the store's clock starts later.
func (c *Core) claim(ctx context.Context, claim hook.Claim) (state hook.State, fp hook.Fingerprint, since time.Time, err error) {
	state, fp, err = c.await(ctx, func(now time.Time) (hook.State, hook.Fingerprint, error) {
		since = now
		state, fp, err := c.store.Claim(ctx, claim)
		if err != nil {
			err = storeError(ctx, err)
		}
		return state, fp, err
	})
	return state, fp, since, err
}

// await calls ask until it says something else than Pending, at most for
// PendingWait.
func (c *Core) await(ctx context.Context, ask func(now time.Time) (hook.State, hook.Fingerprint, error)) (hook.State, hook.Fingerprint, error) {
	now := time.Now()
	deadline := now.Add(c.opts.PendingWait)
	var timer *time.Timer
	for ; ; now = time.Now() {
		state, fp, err := ask(now)
		if err != nil || state != hook.Pending {
			return state, fp, err
		}
		if time.Now().Add(c.opts.PollInterval).After(deadline) {
			return 0, hook.Fingerprint{}, hook.ErrInFlight
		}
		if timer == nil {
			timer = time.NewTimer(c.opts.PollInterval)
			defer timer.Stop()
		} else {
			timer.Reset(c.opts.PollInterval)
		}
		select {
		case <-ctx.Done():
			return 0, hook.Fingerprint{}, hook.ErrInFlight
		case <-timer.C:
		}
	}
}

// storeError says that the store could not be asked, and keeps an end of the
// request's own time apart.
func storeError(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return &hook.Error{Code: hook.CodeDeadlineExceeded, Err: err}
	}
	return &hook.Error{Code: hook.CodeStoreUnavailable, Err: err}
}

// release frees a claim. Who asks for the key next should find it free, but no
// answer is late for that: when ctx ends, it goes on without the caller.
func (c *Core) release(ctx context.Context, claim hook.Claim) {
	done := make(chan struct{})
	c.doubts.Go(func() { defer close(done); c.free(claim) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// free frees a claim. That it fails is no matter: the lease runs out.
func (c *Core) free(claim hook.Claim) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	if err := c.store.Release(ctx, claim); err != nil {
		c.logger.Debug("release failed", zap.Error(err))
	}
}

// enter counts a call of Do, unless Close has begun. It counts among the doubts,
// too: a call that Close has given up may still begin one, and a WaitGroup that
// somebody waits for must not begin anew at zero.
func (c *Core) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	c.doubts.Add(1)
	return true
}

// leave counts a call out again.
func (c *Core) leave() {
	c.running.Done()
	c.doubts.Done()
}

// Close takes nothing new, waits for what runs as long as ctx allows, and
// commits what is to be committed. Claims in doubt are left to their leases.
// It may be called again.
func (c *Core) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if !first {
		return nil
	}
	err := wait(ctx, &c.running)
	close(c.stop)
	return errors.Join(err, wait(ctx, &c.doubts), c.commits.close(ctx))
}

func wait(ctx context.Context, wg *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
