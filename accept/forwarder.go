package accept

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// ForwarderOptions of a Forwarder.
type ForwarderOptions struct {
	// From is the local queue. Everything that is ready in it, and every dead
	// letter, is moved. Required.
	From hook.Shelf

	// To is the primary queue. Where it is a hook.Sequencer, several events are
	// on their way at once, in their order; else one. Required.
	To hook.Queue

	// Backlog is shared with the Spools of the local queue. Required.
	Backlog *Backlog

	// Rate is how many events are forwarded in a second at most. Default: 1000.
	Rate int

	// Outstanding is how many are on their way at once at most. Default: 64.
	Outstanding int

	// Expect is told of each queue that an event names, before the event is
	// published. Default: nothing is told.
	Expect func(queue string, celery bool)

	// Logger gets the end of the backlog, and what could not be forwarded.
	// Default: none.
	Logger *zap.Logger
}

// Bounds that are nobody's business to set.
const (
	sendTime    = 5 * time.Second // until what is on its way is in doubt
	stopTime    = 2 * time.Second // that it still gets when the forwarder is to end
	idleTime    = time.Second     // between two looks at an empty spool
	wakePause   = 50 * time.Millisecond
	searchEvery = 30 * time.Second       // for what came back into the queue behind what was looked at; later where that takes long
	firstPause0 = 100 * time.Millisecond // of a place that has failed
	lastPause   = 5 * time.Second
	firstAside  = time.Second // of a single event that has failed
	lastAside   = 10 * time.Minute
	removeTime  = 10 * time.Second
)

// Forwarder moves what a Spool has kept to the queue where it belongs, the
// oldest first, and removes each event when that queue has confirmed it. What
// comes in meanwhile need not wait for it.
//
// A place that takes nothing, because the whole queue is down or that one of its
// queues is gone or full, is tried again with growing pauses, and its events
// keep their order. An event that fails where others of its place are taken, or
// that cannot be published at all, is passed over and tried again by itself,
// later and later. Nothing is ever dropped: what nobody knows the outcome of is
// published again, under the same ID.
type Forwarder struct {
	opts    ForwarderOptions
	from    hook.Shelf
	to      hook.Queue
	backlog *Backlog
	logger  *zap.Logger

	shelves   [2]shelf  // of the events, and of the dead letters
	search    time.Time // when everything is looked at again
	searching time.Time // since when it is, zero when it was
	ready     time.Time // when the rate allows more
}

// NewForwarder returns a Forwarder. There must be one at a time for a local
// queue.
func NewForwarder(opts ForwarderOptions) (*Forwarder, error) {
	if opts.From == nil || opts.To == nil || opts.Backlog == nil {
		return nil, errors.New("accept: a forwarder needs two queues and a backlog")
	}
	setDefault(&opts.Rate, 1000)
	setDefault(&opts.Outstanding, 64)
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	if opts.Expect == nil {
		opts.Expect = func(string, bool) {}
	}
	f := &Forwarder{opts: opts, from: opts.From, to: opts.To, backlog: opts.Backlog, logger: opts.Logger}
	f.shelves[0] = newShelf(hook.StateReady)
	f.shelves[1] = newShelf(hook.StateDead)
	return f, nil
}

// Run forwards until ctx ends. What is on its way then has two seconds more to
// be confirmed; what is not stays.
func (f *Forwarder) Run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		moved, err := f.round(ctx)
		pause := f.untilNext(time.Now())
		switch {
		case err != nil:
			f.logger.Debug("the spool cannot be read or written", zap.Error(err))
			pause = backoff(failures, firstPause0, lastPause)
			failures++
		case moved:
			failures, pause = 0, 0
		default:
			failures = 0
		}
		if pause > 0 && f.stalled() { // each event that comes in wakes us, and there is little to do
			f.rest(ctx, wakePause, false)
			pause -= wakePause
		}
		f.rest(ctx, pause, err == nil)
	}
}

// stalled reports whether there is a place that takes nothing.
func (f *Forwarder) stalled() bool {
	return len(f.shelves[0].stalled)+len(f.shelves[1].stalled) > 0
}

// rest waits for a pause to be over, or for more to be spooled.
func (f *Forwarder) rest(ctx context.Context, pause time.Duration, wakes bool) {
	if pause <= 0 {
		return
	}
	wake := f.backlog.wake
	if !wakes {
		wake = nil
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// round does what there is to do now, of each kind some. It reports whether
// there may be more of it.
func (f *Forwarder) round(ctx context.Context) (moved bool, err error) {
	n, err := f.from.Counts(ctx)
	if err != nil {
		return false, err
	}
	now := time.Now()
	if n.Ready+n.Due+n.Dead == 0 {
		f.emptied(now)
		return false, nil
	}
	if f.backlog.begin(now) {
		f.logger.Info("events wait on this node to be forwarded to the queue",
			zap.Int("events", n.Ready+n.Due), zap.Int("dead_letters", n.Dead))
	}
	if !now.Before(f.search) && f.searching.IsZero() {
		f.searching = now
		for i := range f.shelves {
			f.shelves[i].from = 0
		}
	}
	for i := range f.shelves {
		s := &f.shelves[i]
		if err := f.clear(s); err != nil { // else they would be sent again
			return false, err
		}
		for _, step := range []func(context.Context, *shelf) (bool, error){f.advance, f.probe, f.retry} {
			m, err := step(ctx, s)
			if err != nil {
				return false, err
			}
			moved = moved || m
		}
	}
	if now = time.Now(); !moved && !f.searching.IsZero() {
		f.search = now.Add(max(searchEvery, 20*now.Sub(f.searching)))
		f.searching = time.Time{}
	}
	f.backlog.putOff.Store(int64(len(f.shelves[0].aside) + len(f.shelves[1].aside)))
	return moved, nil
}

// emptied notes that nothing is left.
func (f *Forwarder) emptied(now time.Time) {
	for i := range f.shelves {
		f.shelves[i].forget()
	}
	f.backlog.putOff.Store(0)
	if lasted, was := f.backlog.end(now); was {
		f.logger.Info("nothing waits on this node any more: the queue has it all", zap.Duration("after", lasted.Round(time.Millisecond)))
	}
}

// untilNext returns how long there is nothing to do.
func (f *Forwarder) untilNext(now time.Time) time.Duration {
	next := now.Add(idleTime)
	for i := range f.shelves {
		if at := f.shelves[i].next(); at.Before(next) {
			next = at
		}
	}
	return max(time.Millisecond, next.Sub(now))
}

// clear removes what was forwarded and could not be removed then.
func (f *Forwarder) clear(s *shelf) error {
	if len(s.forwarded) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	if err := f.from.Remove(ctx, s.state, s.forwarded...); err != nil {
		return err
	}
	s.forwarded = s.forwarded[:0]
	return nil
}

// send publishes entries in their order, and waits for what becomes of them.
func (f *Forwarder) send(ctx context.Context, s *shelf, entries []hook.Entry) []error {
	f.pace(ctx, len(entries))
	// What is on its way is not given up at once: it would be sent again.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopTime, cancel) })()
	if ctx.Err() != nil {
		return nil
	}
	out := make([]hook.Outgoing, len(entries))
	for i := range entries {
		out[i] = s.outgoing(&entries[i])
	}
	if seq, ok := f.to.(hook.Sequencer); ok {
		return seq.PublishAll(sending, out)
	}
	errs := make([]error, len(entries))
	for i := range out {
		_, errs[i] = put(sending, f.to, out[i].Event, out[i].Fault)
	}
	return errs
}

// pace keeps to the rate.
func (f *Forwarder) pace(ctx context.Context, n int) {
	now := time.Now()
	if f.ready.Before(now) {
		f.ready = now
	}
	f.rest(ctx, f.ready.Sub(now), false)
	f.ready = f.ready.Add(time.Duration(n) * time.Second / time.Duration(f.opts.Rate))
}
