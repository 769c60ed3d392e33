package consumer

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// process makes one attempt at an event and tells everybody what came of it. It
// returns the ticket that is held in the end.
func (c *Consumer) process(d hook.Delivery, t ticket) ticket {
	ev := complete(d.Event())
	if ev.Attempt == 0 && ev.Replay == 0 && !ev.ReceivedAt.IsZero() {
		c.metrics.waited(ev.Hook, time.Since(ev.ReceivedAt))
	}
	ctx, span := c.span(c.working.ctx, ev)
	o := c.attempt(ctx, ev)
	if o.what == inFlight && d.Redeliveries() > 0 && c.gate.mayPark() {
		o, t = c.outlast(ctx, ev, t)
	}
	now := time.Now()
	outage := c.learn(o, ev, t, now)
	v := judge(o, ev, c.opts.Retry, outage, firstFault(d), now)
	c.settle(d, ev, v)
	endSpan(span, o, v)
	c.report(ev, o, v)
	return t
}

// outlast keeps an event that has come back and is claimed until the claim's
// lease must be over, and tries it then. The claim is most likely that of the
// consumer that did not settle it, perhaps because the event has crashed it: in
// a tier the event would be a new message, and nobody would count the crashes.
func (c *Consumer) outlast(working context.Context, ev *hook.Event, t ticket) (outcome, ticket) {
	defer c.applyPrefetch()
	defer c.gate.parkedOne()
	ctx := c.fetching.ctx
	o := outcome{what: inFlight}
	begin := time.Now()
	for first := true; o.what == inFlight && time.Since(begin) < c.opts.Lease*5/4; first = false {
		c.gate.park(t, first)
		c.applyPrefetch()
		waitFor(ctx, c.opts.Lease/8, nil)
		t = ticket{}
		for {
			changed := c.gate.unpark(ctx.Err() != nil)
			if changed == nil {
				break
			}
			waitFor(ctx, 0, changed)
		}
		if ctx.Err() != nil {
			return outcome{what: stopped}, t
		}
		o = c.attempt(working, ev)
	}
	return o, t
}

// learn draws from an attempt what it says about downstream and inbox. It
// reports whether the downstream counts as down.
func (c *Consumer) learn(o outcome, ev *hook.Event, t ticket, now time.Time) (outage bool) {
	defer c.showDown()
	switch o.what {
	case processed, unrecorded:
		if c.gate.succeeded() {
			c.logger.Info("the downstream is back")
		}
		c.applyPrefetch()
	case noInbox:
		if c.gate.inboxFailed(now) {
			c.logger.Error("the inbox cannot be asked: nothing is processed until it can", zap.Error(o.err))
		}
		c.applyPrefetch()
	case failed:
		if deadly(o.fault.Kind) {
			return false // it says something about the event, and nothing about the others
		}
		var begins bool
		if outage, begins = c.gate.failed(t, inboxKey(ev), o.fault.RetryAfter, now); begins {
			c.logger.Error("the downstream counts as down: one event at a time is tried until one succeeds",
				zap.String("fault", tidy(o.fault.Message)), zap.Int("status", o.fault.Status))
		}
		c.applyPrefetch()
	}
	return outage
}

// report counts and logs an attempt.
func (c *Consumer) report(ev *hook.Event, o outcome, v verdict) {
	if v.result == Duplicate {
		c.metrics.inboxHit(ev.Hook)
	} else {
		c.metrics.attempt(ev.Hook, v.result)
	}
	if o.took > 0 || o.what == processed || o.what == failed || o.what == unrecorded {
		c.metrics.took(ev.Hook, o.took)
	}
	fields := append(eventFields(ev),
		zap.String("result", string(v.result)), zap.Duration("took", o.took), zap.Int("attempt", ev.Attempt+1), zap.Int("replay", ev.Replay))
	if v.do == later {
		fields = append(fields, zap.Duration("again_after", v.after))
	}
	switch {
	case v.fault != nil:
		fields = append(fields, zap.String("fault", v.fault.Message), zap.Int("status", v.fault.Status))
	case o.fault != nil:
		fields = append(fields, zap.String("fault", tidy(o.fault.Message)), zap.Int("status", o.fault.Status))
	case o.err != nil:
		fields = append(fields, zap.Error(o.err))
	}
	switch {
	case o.what == unrecorded:
		c.metrics.unrecorded()
		c.logger.Error("event processed, and the inbox could not be told: a copy would be processed once more", fields...)
	case v.do == dead:
		c.logger.Error("event is a dead letter", fields...)
	case v.result == Retry || v.result == Outage:
		c.logger.Warn("event failed", fields...)
	default:
		c.logger.Info("event", fields...)
	}
}

// eventFields name an event in a log, without what may be personal.
func eventFields(ev *hook.Event) []zap.Field {
	return []zap.Field{zap.String("hook", ev.Hook), zap.String("event", hook.LogID(ev.ID))}
}
