package accept

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// committer commits keys off the critical path, many in one round trip. What
// is durable is durable, whoever holds the claim, so a commit needs no token;
// a commit that is lost costs one more copy when the lease has run out.
type committer struct {
	store  hook.Store
	logger *zap.Logger
	batch  int

	mu      sync.Mutex
	pending []hook.Claim // the oldest first
	dropped int          // given up, and not told yet
	told    time.Time    // when that was told last
	closed  bool
	wake    chan struct{} // has room for one
	done    chan struct{} // closed when run has ended
}

// A batch is written when it is full, or after gatherTime. Where that fails it
// is tried so often, with growing pauses from firstPause on.
const (
	gatherTime     = 5 * time.Millisecond
	commitAttempts = 4
	firstPause     = 50 * time.Millisecond
)

const (
	pendingMost = 1 << 16          // commits that may wait: with the keys some 15 MB
	tellEvery   = 10 * time.Second // how often it is told at most that some were given up
)

func newCommitter(store hook.Store, logger *zap.Logger, batch int) *committer {
	c := &committer{store: store, logger: logger, batch: batch, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c
}

// add queues a claim. It never blocks: the number of claims is that of the
// requests which were answered while one batch was written. Where the store is
// down and events are published all the same it would grow as long as that
// lasts, so the oldest are given up.
func (c *committer) add(claim hook.Claim) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		if n := len(c.pending) - pendingMost + 1; n > 0 {
			c.pending = c.pending[n:]
			c.dropped += n
		}
		c.pending = append(c.pending, claim)
	}
	c.mu.Unlock()
	if closed { // by a request that outlived Close
		c.write([]hook.Claim{claim})
		return
	}
	c.signal()
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *committer) take() (claims []hook.Claim, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.pending), c.batch)
	claims = append(claims, c.pending[:n]...)
	c.pending = append(c.pending[:0], c.pending[n:]...)
	return claims, c.closed
}

func (c *committer) run() {
	defer close(c.done)
	for {
		claims, closed := c.take()
		switch {
		case len(claims) > 0:
			c.write(claims)
		case closed:
			return
		default:
			<-c.wake
		}
		c.gather()
	}
}

// gather lets some commits come together. There is no hurry: who asks for a
// key meanwhile finds it pending, and asks again.
func (c *committer) gather() {
	c.mu.Lock()
	ready := c.closed || len(c.pending) >= c.batch
	c.mu.Unlock()
	if !ready {
		time.Sleep(gatherTime)
	}
}

// write commits a batch.
func (c *committer) write(claims []hook.Claim) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		err := c.store.Commit(ctx, claims...)
		cancel()
		if err == nil {
			return
		}
		if attempt == commitAttempts {
			c.giveUp(len(claims), err)
			return
		}
		time.Sleep(pause)
		pause *= 2
	}
}

// giveUp tells now and then that commits failed: a store that is down fails all
// of them.
func (c *committer) giveUp(n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped += n
	if last := c.closed && len(c.pending) == 0; !last && time.Since(c.told) < tellEvery {
		return
	}
	c.logger.Warn("commits failed: their events may be taken once more", zap.Int("count", c.dropped), zap.Error(err))
	c.dropped, c.told = 0, time.Now()
}

// close writes what is queued, and ends the goroutine.
func (c *committer) close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.signal()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
