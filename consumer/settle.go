package consumer

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// settle tells the queue what became of an event, and hands the event back
// where the queue does not take it.
func (c *Consumer) settle(d hook.Delivery, ev *hook.Event, v verdict) {
	ctx, cancel := context.WithTimeout(c.settling.ctx, settleTimeout)
	defer cancel()
	var err error
	switch v.do {
	case done:
		err = d.Done(ctx)
	case later:
		err = c.later(ctx, d, v)
	case dead:
		err = d.Dead(ctx, *v.fault)
	case giveBack:
		c.giveBack(ctx, d, ev)
		return
	}
	if err == nil {
		c.gate.settled()
		c.applyPrefetch()
		return
	}
	c.gate.settleFailed(time.Now())
	c.metrics.settleFailed(v.do)
	c.logger.Error("the queue was not told what became of an event; it will hand it out again",
		append(eventFields(ev), zap.String("result", string(v.result)), zap.Error(err))...)
	c.returnTo(ctx, d, ev)
}

// later puts an event into its tier. Where that does not take it, as when it is
// missing, another is better than no pause at all: handed back, the event would
// come again at once, and a queue that counts it would take it for poison.
// Where the queue takes nothing at all, the others say so without delay.
func (c *Consumer) later(ctx context.Context, d hook.Delivery, v verdict) error {
	err := d.Later(ctx, v.after, v.fault)
	if !errors.Is(err, hook.ErrRefused) && !errors.Is(err, hook.ErrUnavailable) {
		return err
	}
	for _, longer := range []bool{true, false} {
		for _, after := range c.opts.Retry {
			if after == v.after || after > v.after != longer {
				continue
			}
			if d.Later(ctx, after, v.fault) == nil {
				c.logger.Warn("a retry tier takes no events; another was used", zap.Duration("tier", v.after), zap.Duration("used", after), zap.Error(err))
				return nil
			}
		}
	}
	return err
}

// giveBack hands an event back untouched: to whoever asks next, and when it has
// come back before, through the first tier, because a queue counts what is
// returned and takes what is returned too often for poison.
func (c *Consumer) giveBack(ctx context.Context, d hook.Delivery, ev *hook.Event) {
	if d.Redeliveries() > 0 && c.later(ctx, d, verdict{after: c.opts.Retry[0]}) == nil {
		return
	}
	c.returnTo(ctx, d, ev)
}

func (c *Consumer) returnTo(ctx context.Context, d hook.Delivery, ev *hook.Event) {
	if err := d.Return(ctx); err != nil {
		c.metrics.settleFailed(giveBack)
		c.logger.Warn("an event could not be handed back; the queue will hand it out again when this consumer is gone",
			append(eventFields(ev), zap.Error(err))...)
	}
}
