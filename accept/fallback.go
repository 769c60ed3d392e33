package accept

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// FallbackOptions are the settings of a Fallback.
type FallbackOptions struct {
	// Primary holds the claims as long as it answers. Required.
	Primary hook.Store

	// Secondary holds them while the primary does not, and a copy of every
	// commit. Required.
	Secondary hook.Store

	// Timeout bounds a claim at the primary, before the secondary is asked in
	// the same request. Default: 100ms.
	Timeout time.Duration

	// Ignore reports whether an error is about one key and says nothing of the
	// store. The claim is taken by the other store all the same. Default: none
	// is.
	Ignore func(error) bool

	// OnChange is told when the primary is left, and when it is used again. It
	// must not block. Default: nobody is told.
	OnChange func(onFallback bool)

	// Logger gets changes. Default: none.
	Logger *zap.Logger
}

const (
	openTime     = time.Second            // from the last failure to the next look at the primary
	probePause   = 20 * time.Millisecond  // between two looks at whether it is time
	commitBound  = 400 * time.Millisecond // for a commit at the first store that is tried
	giveBackTime = 10 * time.Second       // to tell the primary what it has missed
	margin       = 5 * time.Second        // that it is told more than it has missed
)

// mode says who holds the claims.
type mode int32

const (
	onPrimary mode = iota
	away           // the primary is down, and is not asked
	returning      // the primary answers, and is told what it has missed
)

// Fallback is a store of two. Claims are the primary's as long as it answers. A
// claim that it does not answer is taken by the secondary in the same request;
// after some of these a breaker opens, and the primary is not waited for any
// more, until it answers again and has been given back what it has missed.
//
// Commits go to both, to the one that holds the claims at once, and to the other
// in the background. So a duplicate is found on either side of a switch. What
// this process knows of a key, that it is held or committed in the store which
// is not asked, counts as well: its own requests see one store. Another process
// may hold a claim in the store which is left, and its event may be published
// once more; that is the inbox's case.
type Fallback struct {
	opts               FallbackOptions
	log                *zap.Logger
	primary, secondary *side
	ledger             *ledger
	mode               atomic.Int32
	lastGood           atomic.Int64 // when the primary last answered, since begun

	begun   time.Time
	tripped chan error    // has room for one: why the breaker has opened
	stop    chan struct{} // closed by Close
	running sync.WaitGroup

	mu    sync.Mutex
	since time.Time // when it left the primary; zero on it
	spent time.Duration
	ended bool

	detours, givenBack, incomplete atomic.Uint64
}

// NewFallback returns a Fallback. It neither starts nor closes the stores.
// Close ends it.
func NewFallback(opts FallbackOptions) (*Fallback, error) {
	if opts.Primary == nil || opts.Secondary == nil {
		return nil, errors.New("accept: a fallback is of two stores")
	}
	setDefault(&opts.Timeout, 100*time.Millisecond)
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	f := &Fallback{
		opts: opts, log: opts.Logger, ledger: newLedger(),
		begun: time.Now(), tripped: make(chan error, 1), stop: make(chan struct{}),
	}
	f.primary = newSide("primary", opts.Primary, opts.Timeout, opts.Ignore, f.leave)
	f.secondary = newSide("secondary", opts.Secondary, 0, opts.Ignore, nil)
	f.lastGood.Store(-1)
	f.running.Go(f.watch)
	f.running.Go(func() { f.primary.owed.run(f.stop, f.primary, f.log, func() bool { return f.now() != away }) })
	f.running.Go(func() { f.secondary.owed.run(f.stop, f.secondary, f.log, func() bool { return true }) })
	return f, nil
}

func (f *Fallback) now() mode { return mode(f.mode.Load()) }

// lead returns the store that holds the claims now, and the other.
func (f *Fallback) lead() (lead, other *side) {
	if f.now() == onPrimary {
		return f.primary, f.secondary
	}
	return f.secondary, f.primary
}

// leave is called by the primary's breaker when it opens.
func (f *Fallback) leave(why error) {
	if !f.mode.CompareAndSwap(int32(onPrimary), int32(away)) {
		return
	}
	f.mu.Lock()
	f.since = time.Now()
	f.mu.Unlock()
	select {
	case f.tripped <- why:
	default:
	}
}

// Ready returns nil as long as one of the stores can be used. It answers from
// memory.
func (f *Fallback) Ready() error {
	p, s := f.primary.store.Ready(), f.secondary.store.Ready()
	switch {
	case s == nil, p == nil && f.now() == onPrimary:
		return nil
	case p == nil:
		p = errReturning
	}
	return fmt.Errorf("primary: %w; fallback: %w", p, s)
}

var errReturning = errors.New("it is looked at again within a second")

// Degraded implements hook.Degrader.
func (f *Fallback) Degraded() string {
	if f.Ready() != nil {
		return ""
	}
	s := f.secondary.store.Ready()
	switch m := f.now(); {
	case m == away:
		return "primary down, on fallback"
	case m == returning:
		return "primary back, and told what it has missed; on fallback meanwhile"
	case f.primary.store.Ready() != nil:
		return "primary down, the fallback is ready"
	case s != nil:
		return "fallback down: " + s.Error()
	}
	return ""
}

// Close writes what the stores are still owed, as long as ctx allows, and ends
// what runs in the background. It may be called again.
func (f *Fallback) Close(ctx context.Context) error {
	f.mu.Lock()
	first := !f.ended
	f.ended = true
	f.mu.Unlock()
	if !first {
		return nil
	}
	close(f.stop)
	err := wait(ctx, &f.running)
	for _, s := range []*side{f.primary, f.secondary} {
		if s == f.primary && f.now() == away {
			continue
		}
		err = errors.Join(err, s.owed.drain(ctx, s))
	}
	return err
}

// Interface guards
var (
	_ hook.Store    = (*Fallback)(nil)
	_ hook.Degrader = (*Fallback)(nil)
)
