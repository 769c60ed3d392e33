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

// SpoolOptions of a Spool.
type SpoolOptions struct {
	// Primary is the queue where events belong. Required.
	Primary hook.Queue

	// Local keeps on this node what Primary cannot take. Where it is a
	// hook.Shelf, a copy is taken back when Primary turns out to have the event.
	// Required.
	Local hook.Queue

	// Backlog is shared with the Forwarder of Local. Required.
	Backlog *Backlog

	// Logger gets the begin of spooling. Default: none.
	Logger *zap.Logger

	// Avoid is how long Primary is not tried after it has failed, and then by one
	// event at a time. Default: 1s.
	Avoid time.Duration
}

// Spool is a queue of two: what the primary one does not take in half of the
// time that there is goes to the local one, and the receipt says Local. An event
// that may be in the primary queue all the same is kept under the same ID, so
// that the consumer drops the copy. A Forwarder moves what was kept.
//
// While the primary queue is known to be down it is not waited for.
type Spool struct {
	opts           SpoolOptions
	primary, local hook.Queue
	shelf          hook.Shelf // nil where nothing can be taken back

	mu      sync.Mutex
	avoided map[place]time.Time // until when it is not tried
	trouble atomic.Bool         // there is something in avoided

	stop    chan struct{}  // closed by Close
	closed  bool           // under mu
	doubts  sync.WaitGroup // those who wait for a fate; see doubt
	waiters atomic.Int64   // how many there are
}

// maxWaiters is how many copies may wait at once to be taken back.
const maxWaiters = 1024

// unlimited is the time that there is for a caller whose context has no end.
const unlimited = 10 * time.Second

// NewSpool returns a Spool. Close ends it.
func NewSpool(opts SpoolOptions) (*Spool, error) {
	if opts.Primary == nil || opts.Local == nil || opts.Backlog == nil {
		return nil, errors.New("accept: a spool needs two queues and a backlog")
	}
	setDefault(&opts.Avoid, time.Second)
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	s := &Spool{opts: opts, primary: opts.Primary, local: opts.Local, avoided: make(map[place]time.Time), stop: make(chan struct{})}
	s.shelf, _ = opts.Local.(hook.Shelf)
	return s, nil
}

// Close ends the wait for copies that could be taken back. They are forwarded.
func (s *Spool) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.stop)
	}
	return wait(ctx, &s.doubts)
}

// doubt runs what waits for a fate, unless Close has begun: an event that has
// outlived it must not count anew what is waited for.
func (s *Spool) doubt(wait func()) (runs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.doubts.Go(wait)
	}
	return !s.closed
}

// Publish implements hook.Queue.
func (s *Spool) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	return s.take(ctx, ev, nil)
}

// Park implements hook.Queue.
func (s *Spool) Park(ctx context.Context, ev *hook.Event, f hook.Fault) (hook.Receipt, error) {
	return s.take(ctx, ev, &f)
}

// Ready implements hook.Queue: one of the two is enough.
func (s *Spool) Ready() error {
	primary := s.primary.Ready()
	if primary == nil {
		return nil
	}
	if local := s.local.Ready(); local != nil {
		return fmt.Errorf("%w; nor can events be kept on this node: %w", primary, local)
	}
	return nil
}

// put hands an event to one of the queues.
func put(ctx context.Context, q hook.Queue, ev *hook.Event, f *hook.Fault) (hook.Receipt, error) {
	if f != nil {
		return q.Park(ctx, ev, *f)
	}
	return q.Publish(ctx, ev)
}

func (s *Spool) take(ctx context.Context, ev *hook.Event, f *hook.Fault) (hook.Receipt, error) {
	at := placeOf(ev, f)
	failed := s.down(at)
	if failed == nil {
		within, cancel := s.share(ctx)
		receipt, err := put(within, s.primary, ev, f)
		cancel()
		if err == nil {
			s.well(at)
			return receipt, nil
		}
		if reasonOf(err) == Unfit { // it would be no better from here
			return hook.Receipt{}, err
		}
		if ctx.Err() == nil { // it was not the sender who left
			s.avoid(at)
		}
		failed = err
	}
	receipt, err := put(ctx, s.local, ev, f)
	switch {
	case err != nil && failed == errAvoided && reasonOf(err) != Doubtful && ctx.Err() == nil:
		// Without the local queue it is as if there were none.
		if receipt, failed = put(ctx, s.primary, ev, f); failed == nil {
			s.well(at)
			return receipt, nil
		}
		return hook.Receipt{}, s.neither(failed, err)
	case err != nil:
		return hook.Receipt{}, s.neither(failed, err)
	}
	s.opts.Backlog.spooled.Add(1)
	if s.opts.Backlog.begin(time.Now()) {
		s.opts.Logger.Warn("the queue cannot take events: they are kept on this node until it can", zap.Error(failed))
	}
	if doubt, ok := errors.AsType[*hook.InDoubt](failed); ok {
		s.watch(doubt, receipt.Seq, f != nil)
	}
	s.opts.Backlog.poke()
	return hook.Receipt{Local: true, Seq: receipt.Seq}, nil
}

// share bounds the wait for the primary queue: by half of the time that there
// is, and by all of it where the local queue cannot be used.
func (s *Spool) share(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.local.Ready() != nil {
		return ctx, func() {}
	}
	left := unlimited
	if end, ok := ctx.Deadline(); ok {
		left = time.Until(end)
	}
	return context.WithTimeout(ctx, left/2)
}

// errAvoided stands for a failure of a moment ago.
var errAvoided = fmt.Errorf("%w: it has failed a moment ago", hook.ErrUnavailable)

// down returns why there is no use in trying the primary queue. What it says of
// itself does not go for an event with a queue of its own.
func (s *Spool) down(at place) error {
	if at.queue == "" {
		if err := s.primary.Ready(); err != nil {
			return fmt.Errorf("%w: %w", hook.ErrUnavailable, err)
		}
	}
	if !s.trouble.Load() {
		return nil
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	until, avoided := s.avoided[at]
	switch {
	case !avoided:
		return nil
	case now.Before(until):
		return errAvoided
	}
	s.avoided[at] = now.Add(s.opts.Avoid) // this event finds out for all
	return nil
}

// avoid notes that the primary queue has failed.
func (s *Spool) avoid(at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.avoided[at] = time.Now().Add(s.opts.Avoid)
	s.trouble.Store(true)
}

// well notes that the primary queue has taken an event.
func (s *Spool) well(at place) {
	if !s.trouble.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.avoided, at)
	s.trouble.Store(len(s.avoided) > 0)
}

// neither is the error where both queues failed. Where one may have the event,
// it says so.
func (s *Spool) neither(primary, local error) error {
	both := fmt.Errorf("%w; nor was the event kept on this node: %w", primary, local)
	first, primaryDoubt := errors.AsType[*hook.InDoubt](primary)
	_, localDoubt := errors.AsType[*hook.InDoubt](local)
	switch {
	case primaryDoubt && localDoubt:
		// Only "taken" says something about both.
		return &hook.InDoubt{Cause: both, Fate: s.takenOnly(first.Fate)}
	case primaryDoubt:
		return &hook.InDoubt{Cause: both, Fate: first.Fate}
	case localDoubt:
		return &hook.InDoubt{Cause: both}
	}
	return both
}

// takenOnly passes a fate on if it is that the event was taken.
func (s *Spool) takenOnly(fate <-chan error) <-chan error {
	if fate == nil {
		return nil
	}
	passed := make(chan error, 1)
	runs := s.doubt(func() {
		defer close(passed)
		select {
		case err, known := <-fate:
			if known && err == nil {
				passed <- nil
			}
		case <-s.stop:
		}
	})
	if !runs {
		return nil
	}
	return passed
}

// withdrawTime bounds the taking back of a copy.
const withdrawTime = 5 * time.Second

// watch takes the copy of an event back when it becomes known that the primary
// queue has the event. A copy that is forwarded before is no harm.
func (s *Spool) watch(doubt *hook.InDoubt, seq uint64, dead bool) {
	if doubt.Fate == nil || s.shelf == nil || seq == 0 {
		return
	}
	if s.waiters.Add(1) > maxWaiters {
		s.waiters.Add(-1)
		return
	}
	runs := s.doubt(func() {
		defer s.waiters.Add(-1)
		select {
		case fate, known := <-doubt.Fate:
			if !known || fate != nil {
				return
			}
		case <-s.stop:
			return
		}
		state := hook.StateReady
		if dead {
			state = hook.StateDead
		}
		ctx, cancel := context.WithTimeout(context.Background(), withdrawTime)
		defer cancel()
		if err := s.shelf.Remove(ctx, state, seq); err != nil {
			s.opts.Logger.Debug("the copy of an event could not be taken back", zap.Error(err))
			return
		}
		s.opts.Backlog.withdrawn.Add(1)
	})
	if !runs {
		s.waiters.Add(-1)
	}
}

// Interface guard
var _ hook.Queue = (*Spool)(nil)
