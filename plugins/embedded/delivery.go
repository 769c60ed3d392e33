package embedded

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// delivery is an event that was handed out.
type delivery struct {
	db     *DB
	ref    ref
	before int    // how often it was handed out and not settled before
	env    []byte // as it is in the file: the event may be changed by who handles it
	event  *hook.Event
	first  time.Time // when it failed for the first time

	phase   atomic.Uint32
	dropped runtime.Cleanup
}

// The phases of a delivery.
const (
	unsettled uint32 = iota
	settling
	settled
)

// Event implements hook.Delivery.
func (dl *delivery) Event() *hook.Event { return dl.event }

// Redeliveries implements hook.Delivery.
func (dl *delivery) Redeliveries() int { return dl.before }

// FirstFault implements hook.Failed.
func (dl *delivery) FirstFault() time.Time { return dl.first }

// Done implements hook.Delivery.
func (dl *delivery) Done(ctx context.Context) error {
	return dl.settle(ctx, (*batch).processed, nil)
}

// Later implements hook.Delivery. There are no tiers: the event is due after
// just that time, or ready at once where it is not positive. The event that is
// handed out then is the one of now, whatever was done to it.
func (dl *delivery) Later(ctx context.Context, after time.Duration, f *hook.Fault) error {
	return dl.settle(ctx, (*batch).tryLater, func(o *op) error {
		e, err := decodeEnvelope(dl.env)
		if err != nil {
			return err
		}
		now := dl.db.now()
		if f != nil {
			e.Event.Attempt++
			latest := sinceFirst(*f, e.Fault, now)
			if latest.Attempt == 0 {
				latest.Attempt = e.Event.Attempt
			}
			e.Fault = &latest
		}
		o.delay = after.Milliseconds()
		o.due = millis(now.Add(after + time.Millisecond - 1)) // not before its time
		if after <= 0 {
			o.due = 0
		}
		o.env, err = appendEnvelope(o.env, e.At, e.Event, e.Fault)
		return err
	})
}

// Dead implements hook.Delivery.
func (dl *delivery) Dead(ctx context.Context, f hook.Fault) error {
	return dl.settle(ctx, (*batch).bury, func(o *op) error {
		e, err := decodeEnvelope(dl.env)
		if err != nil {
			return err
		}
		now := dl.db.now()
		f = sinceFirst(f, e.Fault, now)
		e.Event.Attempt = max(e.Event.Attempt, f.Attempt)
		o.env, err = appendEnvelope(o.env, now, e.Event, &f)
		return err
	})
}

// Return implements hook.Delivery. When ctx ends the event is handed back
// without the caller. Where the disk has no space for that it is as if the
// delivery had been dropped: it counts as one that was not settled. After an
// *hook.InDoubt of another method it does nothing if that has taken effect.
func (dl *delivery) Return(ctx context.Context) error {
	if !dl.phase.CompareAndSwap(unsettled, settling) {
		return ErrSettled
	}
	o := dl.db.newOp((*batch).giveBack)
	o.ref, o.before, o.delivery = dl.ref, dl.before, dl
	err := dl.db.submit(ctx, o)
	if err == nil {
		select {
		case <-o.done:
			err = o.err
		case <-ctx.Done(): // the writer has it, and it will be done
		case <-dl.db.stopped:
			_, err = dl.db.await(context.Background(), o)
		}
	}
	switch {
	case err == nil, errors.Is(err, ErrSettled):
	case dl.db.serving() != nil:
		dl.phase.Store(unsettled)
		return err
	default:
		dl.db.desk.drop(dl.ref)
	}
	dl.phase.Store(settled)
	return nil
}

// settle has an operation done that ends the delivery.
func (dl *delivery) settle(ctx context.Context, run func(*batch, *op) error, prepare func(*op) error) error {
	if !dl.phase.CompareAndSwap(unsettled, settling) {
		return ErrSettled
	}
	err := dl.attempt(ctx, run, prepare)
	if err != nil {
		dl.phase.Store(unsettled)
		return err
	}
	dl.phase.Store(settled)
	dl.dropped.Stop()
	return nil
}

// attempt has an operation done on the delivery.
func (dl *delivery) attempt(ctx context.Context, run func(*batch, *op) error, prepare func(*op) error) error {
	o := dl.db.newOp(run)
	o.ref, o.before, o.delivery = dl.ref, dl.before, dl
	if prepare != nil {
		if err := prepare(o); err != nil {
			o.delivery = nil
			dl.db.recycle(o)
			return err
		}
	}
	free, err := dl.db.do(ctx, o)
	if free {
		o.delivery = nil
		dl.db.recycle(o)
	}
	return err
}

// sinceFirst completes a fault with what is known of those before it.
func sinceFirst(f hook.Fault, kept *hook.Fault, now time.Time) hook.Fault {
	if f.Time.IsZero() {
		f.Time = now
	}
	if kept != nil && !kept.First.IsZero() {
		f.First = kept.First
	}
	if f.First.IsZero() {
		f.First = f.Time
	}
	return f
}

// Interface guards
var (
	_ hook.Delivery = (*delivery)(nil)
	_ hook.Failed   = (*delivery)(nil)
)
