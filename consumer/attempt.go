package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/hook"
)

// outcome is what came of one attempt, before anybody is told.
type outcome struct {
	what  what
	fault *hook.Fault   // of the handler, for failed
	err   error         // of the inbox, for unrecorded and noInbox
	took  time.Duration // in the handler
}

type what uint8

const (
	processed   what = iota + 1 // the effect is there now
	unrecorded                  // the same, and the inbox could not be told
	duplicate                   // it was there before
	conflicting                 // that of another body was
	inFlight                    // another consumer is at it
	failed                      // the handler has failed
	noInbox                     // the inbox could not be asked
	stopped                     // interrupted, or not begun, because the consumer stops
)

var (
	errWorkLimit = errors.New("the work limit was reached")
	errFailed    = errors.New("failed")
)

// attempt processes an event, unless it was processed before.
func (c *Consumer) attempt(ctx context.Context, ev *hook.Event) outcome {
	var o outcome
	switch {
	case c.once != nil:
		o = c.attemptOnce(ctx, ev)
	case c.core == nil:
		o = c.handle(ctx, ev)
	default:
		o = c.attemptClaimed(ctx, ev)
	}
	if c.working.ended() && (o.what == failed && !deadly(o.fault.Kind) || o.what == inFlight || o.what == noInbox) {
		o.what = stopped
	}
	return o
}

// attemptClaimed processes an event under a claim in the inbox.
func (c *Consumer) attemptClaimed(ctx context.Context, ev *hook.Event) outcome {
	var o outcome
	state, fp, err := c.core.Do(ctx, c.claim(ev), func(ctx context.Context) error {
		o = c.handle(ctx, ev)
		if o.what != processed {
			return errFailed // the handler's own error might mean something to the core
		}
		return nil
	}, accept.Renewing(), accept.Committing(c.opts.WorkLimit))
	switch {
	case errors.Is(err, accept.ErrUncommitted):
		o.what, o.err = unrecorded, err
	case o.what != 0:
	case state == hook.Committed:
		o.what = sameBody(fp, ev)
	case errors.Is(err, hook.ErrInFlight):
		o.what = inFlight
	case errors.Is(err, hook.ErrDraining):
		o.what = stopped
	default:
		o.what, o.err = noInbox, err
	}
	return o
}

// attemptOnce lets a handler process an event that keeps its own inbox.
func (c *Consumer) attemptOnce(ctx context.Context, ev *hook.Event) outcome {
	var (
		state hook.State
		fp    hook.Fingerprint
	)
	o := c.work(ctx, func(ctx context.Context) (err error) {
		state, fp, err = c.once.HandleOnce(ctx, c.claim(ev), ev)
		return err
	})
	switch {
	case o.what == failed: // where its store is down, its downstream is
	case state == hook.Committed:
		o.what = sameBody(fp, ev)
	case state == hook.Pending:
		o.what = inFlight
	}
	return o
}

func sameBody(fp hook.Fingerprint, ev *hook.Event) what {
	if fp == ev.Fingerprint {
		return duplicate
	}
	return conflicting
}

// handle calls the handler.
func (c *Consumer) handle(ctx context.Context, ev *hook.Event) outcome {
	return c.work(ctx, func(ctx context.Context) error { return c.opts.Handler.Handle(ctx, ev) })
}

// work runs what may take long, fail and panic.
func (c *Consumer) work(ctx context.Context, fn func(context.Context) error) outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.WorkLimit, errWorkLimit)
	defer cancel()
	c.atWork.Add(1)
	c.metrics.begin()
	defer c.atWork.Add(-1)
	defer c.metrics.end()
	begin := time.Now()
	f := c.protect(ctx, fn)
	o := outcome{what: processed, took: time.Since(begin)}
	if f != nil {
		o.what, o.fault = failed, f
		if errors.Is(context.Cause(ctx), errWorkLimit) && errors.Is(f.Err, context.DeadlineExceeded) {
			f.Message = fmt.Sprintf("it was not processed within %s", c.opts.WorkLimit)
		}
	}
	return o
}

// protect returns the fault that an error is, or a panic. Errors are asked for
// their text here, as that may panic too.
func (c *Consumer) protect(ctx context.Context, fn func(context.Context) error) (f *hook.Fault) {
	defer func() {
		if v := recover(); v != nil {
			f = panicFault(v)
			c.logger.Error("a handler has panicked", zap.String("fault", f.Message), zap.Stack("stack"))
		}
	}()
	return faultIn(fn(ctx))
}
