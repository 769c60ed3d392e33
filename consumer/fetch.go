package consumer

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// fetch takes events as the gate allows, each to a goroutine of its own, until
// it is told to stop or the source fails for good.
func (c *Consumer) fetch() error {
	ctx := c.fetching.ctx
	for {
		t, ok := c.admit(ctx)
		if !ok {
			return nil
		}
		d, err := c.opts.Source.Receive(ctx)
		if err != nil {
			c.gate.absent(t)
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		reason := c.gate.arrived(t, d.Redeliveries())
		c.applyPrefetch()
		if reason == "" {
			// It may have been on its way when a pause began.
			waitFor(ctx, c.gate.queuePause(time.Now()), nil)
			c.waitAlone(ctx)
			if ctx.Err() != nil {
				reason = Stopped
			}
		}
		c.workers.Go(func() {
			defer func() { c.gate.leave(t) }()
			if reason != "" {
				c.handBack(d, reason)
				return
			}
			t = c.process(d, t)
		})
	}
}

// admit waits until an event may be fetched. It reports false at the end.
func (c *Consumer) admit(ctx context.Context) (ticket, bool) {
	for ctx.Err() == nil {
		c.applyPrefetch()
		step, t, wait, changed := c.gate.next(time.Now())
		switch step {
		case fetch:
			return t, true
		case askInbox:
			c.askInbox(ctx)
		case hold:
			waitFor(ctx, wait, changed)
		}
	}
	return ticket{}, false
}

// waitFor waits for a time, if there is one, or for a change, if there may be
// one, or for the end.
func waitFor(ctx context.Context, wait time.Duration, changed <-chan struct{}) {
	if wait <= 0 && changed == nil {
		return
	}
	var over <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
	case <-over:
	case <-changed:
	}
}

// waitAlone waits until the event that has arrived may be processed beside what
// else is at work: one that may crash the consumer must do it alone.
func (c *Consumer) waitAlone(ctx context.Context) {
	for ctx.Err() == nil {
		changed := c.gate.alone()
		if changed == nil {
			return
		}
		waitFor(ctx, 0, changed)
	}
}

// askInbox claims a key that is nobody's, to see whether the inbox is back: an
// event that was fetched to find out would wear out.
func (c *Consumer) askInbox(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	token := hook.NewToken()
	claim := hook.Claim{Key: hook.InboxKey("probe", string(token[:]), 0), Token: token, Lease: 2 * time.Second, TTL: time.Second}
	_, _, err := c.opts.Inbox.Claim(ctx, claim)
	if err != nil {
		c.gate.inboxFailed(time.Now())
		return
	}
	_ = c.opts.Inbox.Release(ctx, claim) // else its lease runs out
	c.gate.inboxAnswered()
	c.showDown()
	c.logger.Info("the inbox is back")
}

// applyPrefetch tells the source how many events it may hand out, where that
// has changed.
func (c *Consumer) applyPrefetch() {
	c.prefetch.Lock()
	defer c.prefetch.Unlock()
	if n := c.gate.window(); n != c.prefetch.last {
		c.prefetch.last = n
		c.opts.Source.Prefetch(n)
	}
}

// showDown tells the metrics what the consumer waits for.
func (c *Consumer) showDown() {
	downstream, inbox := c.gate.down()
	c.metrics.setDown(downstream, inbox)
}

// handBack returns an event that cannot be processed now.
func (c *Consumer) handBack(d hook.Delivery, reason Result) {
	ev := complete(d.Event())
	v := verdict{do: giveBack, result: reason}
	if reason == Outage {
		v.do, v.after = later, c.opts.Retry[0]
	}
	c.settle(d, ev, v)
	c.metrics.attempt(ev.Hook, v.result)
	c.logger.Debug("event handed back", append(eventFields(ev), zap.String("result", string(v.result)))...)
}
