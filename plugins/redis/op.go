package redis

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// The states of a claim on its way. Flusher and caller agree through them on
// whether it will be sent: each moves it out of opWaiting, one of them first.
const (
	opWaiting uint32 = iota
	opTaken          // by a flusher
	opLeft           // by the caller: it will never be sent
)

// op is one claim on its way through a flusher. It is used again once neither
// its caller nor a flusher holds it.
type op struct {
	key      string
	value    []byte // always in the same memory
	lease    int64  // in milliseconds
	token    hook.Token
	own      hook.Fingerprint
	deadline time.Time // when the caller leaves

	// The outcome, of the flusher until done.
	state hook.State
	fp    hook.Fingerprint
	err   error

	phase atomic.Uint32
	args  []any         // of the command that claims: they point at key, value and lease
	done  chan struct{} // of capacity 1; gets a value when the outcome is there
	timer *time.Timer
}

func newOp() *op {
	t := time.NewTimer(time.Hour)
	t.Stop()
	o := &op{value: make([]byte, pendingLength), done: make(chan struct{}, 1), timer: t}
	o.args = []any{"set", &o.key, o.value, "nx", "get", "px", &o.lease}
	return o
}

// Claim implements hook.Store.
func (s *Store) Claim(ctx context.Context, c hook.Claim) (hook.State, hook.Fingerprint, error) {
	var none hook.Fingerprint
	if c.Key == "" {
		return 0, none, errNoKey
	}
	if c.Lease <= 0 {
		return 0, none, errNoLease
	}
	if err := s.serving(); err != nil {
		return 0, none, err
	}
	if err := ctx.Err(); err != nil {
		return 0, none, err
	}
	o := s.ops.Get().(*op)
	*o = op{
		key: s.key(c.Key), value: appendPending(o.value[:0], c.Token, c.Fingerprint), lease: milliseconds(c.Lease),
		token: c.Token, own: c.Fingerprint, deadline: time.Now().Add(s.opts.Timeout),
		args: o.args, done: o.done, timer: o.timer,
	}
	o.timer.Reset(s.opts.Timeout)
	free, err := s.await(ctx, o)
	o.timer.Stop()
	if !free {
		return 0, none, err // the flusher may still write to it
	}
	defer s.ops.Put(o)
	if err != nil {
		return 0, none, err
	}
	if o.err != nil {
		s.counts.tally(o.err)
		return 0, none, o.err
	}
	return o.state, o.fp, nil
}

// await hands the claim to a flusher and waits for it. It reports whether the
// flusher has no hold on it any more.
func (s *Store) await(ctx context.Context, o *op) (free bool, err error) {
	select {
	case s.queue <- o: // nearly always: looking at one channel costs less than at four
	default:
		select {
		case s.queue <- o:
		case <-ctx.Done():
			return true, ctx.Err()
		case <-o.timer.C:
			return true, s.late()
		case <-s.stopping:
			return true, ErrClosed
		}
	}
	select {
	case <-o.done:
		return true, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-o.timer.C:
		err = s.late()
	case <-s.stopping:
		err = ErrClosed
	}
	o.phase.CompareAndSwap(opWaiting, opLeft)
	return false, err
}

// late notes that a claim got no answer in its time.
func (s *Store) late() error {
	s.counts.tally(ErrTimeout)
	s.health.note(ErrTimeout)
	return ErrTimeout
}

// finish hands the outcome to the caller. The flusher does not touch o after.
func (o *op) finish() { o.done <- struct{}{} }

// milliseconds rounds up: Redis takes no time to live of 0.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
