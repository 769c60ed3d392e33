package accept

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// watch hands a claim in doubt to a waiter: it commits when the work turns out
// to have succeeded, releases when not, and keeps the claim meanwhile. Without
// a fate there is nothing to wait for, and the lease runs out.
func (c *Core) watch(claim hook.Claim, doubt *hook.InDoubt) {
	if doubt.Fate == nil {
		return
	}
	c.doubts.Go(func() {
		giveUp := time.NewTimer(c.opts.MaxDoubt)
		defer giveUp.Stop()
		renew := time.NewTicker(claim.Lease / 3)
		defer renew.Stop()
		held := true
		for {
			select {
			case fate, known := <-doubt.Fate:
				c.decide(claim, fate, known)
				return
			case <-renew.C:
				held = held && c.renew(context.Background(), claim)
			case <-giveUp.C:
				// A late confirmation still counts; the lease runs out.
				held = false
			case <-c.stop:
				select {
				case fate, known := <-doubt.Fate:
					c.decide(claim, fate, known)
				default:
				}
				return
			}
		}
	})
}

// decide settles a claim whose fate is known, or never will be.
func (c *Core) decide(claim hook.Claim, fate error, known bool) {
	switch {
	case !known:
	case fate == nil:
		c.commits.add(claim)
	default:
		c.free(claim)
	}
}

// renew starts the lease of a claim anew. It reports false once the claim is
// another's; a store that cannot be asked is asked again.
func (c *Core) renew(ctx context.Context, claim hook.Claim) (held bool) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	held, err := c.store.Renew(ctx, claim)
	if err != nil {
		c.logger.Debug("renewal failed", zap.Error(err))
		return true
	}
	return held
}

// renewWhile renews a claim until the returned function is called. A renewal
// that is on its way then is given up: the answer waits for it.
func (c *Core) renewWhile(claim hook.Claim) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(claim.Lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if !c.renew(ctx, claim) {
					return
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}
