package accept

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// ErrUncommitted means that the work was done and that its claim could not be
// committed: whoever asks for the key later may do the work once more.
var ErrUncommitted = errors.New("the work is done, and its claim is not committed")

// The pauses between two attempts to commit grow from firstPause to this.
const longestPause = 2 * time.Second

// Committing commits the claim before Do returns, for a caller that lets the
// work's cause go when it is done. A store that fails is tried again for as
// long as limit, or until the context ends; then the error is ErrUncommitted.
// A limit of 0 leaves the commit to the background.
func Committing(limit time.Duration) Option {
	return func(o doOptions) doOptions { o.commit = limit; return o }
}

// commitNow commits one claim, at once. It is tried once even if the context
// has ended: the work is done.
func (c *Core) commitNow(ctx context.Context, claim hook.Claim, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		err := c.store.Commit(attempt, claim)
		cancel()
		if err == nil {
			return nil
		}
		c.logger.Debug("commit failed", zap.Error(err))
		if time.Now().Add(pause).After(deadline) {
			return fmt.Errorf("%w: %w", ErrUncommitted, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUncommitted, err)
		case <-time.After(pause):
		}
	}
}
