package accept

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

const (
	owedMost   = 8192             // commits that a store may be owed
	owedTime   = 10 * time.Minute // for which they are kept
	owedBatch  = 256
	owedGather = 10 * time.Millisecond
	owedPause  = 2 * time.Second // between two attempts at most
)

// owed are commits that one store has and the other is still to get. It is
// looked at before a store is asked for a key: these are committed.
type owed struct {
	mu      sync.Mutex
	keys    map[string]*debt
	order   []*debt // the oldest first; some may be paid
	dropped uint64
	wake    chan struct{} // has room for one
}

// debt is one commit.
type debt struct {
	claim hook.Claim
	at    time.Time
	paid  bool
}

func newOwed() *owed { return &owed{keys: make(map[string]*debt), wake: make(chan struct{}, 1)} }

// add takes commits. Where there are too many, the oldest are dropped.
func (o *owed) add(claims []hook.Claim) {
	now := time.Now()
	o.mu.Lock()
	for _, c := range claims {
		if d := o.keys[c.Key]; d != nil {
			d.paid = true // by the new one
		}
		d := &debt{claim: c, at: now}
		o.keys[c.Key] = d
		o.order = append(o.order, d)
	}
	for len(o.keys) > owedMost {
		o.drop()
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// drop gives up the oldest.
func (o *owed) drop() {
	d := o.order[0]
	o.order = o.order[1:]
	if d.paid {
		return
	}
	delete(o.keys, d.claim.Key)
	if time.Since(d.at) < d.claim.TTL {
		o.dropped++
	}
}

// committed returns what a key was committed with, if the store is owed it.
func (o *owed) committed(key string) (fp hook.Fingerprint, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if d := o.keys[key]; d != nil && time.Since(d.at) < d.claim.TTL {
		return d.claim.Fingerprint, true
	}
	return fp, false
}

// stats returns how many there are, and how many were given up.
func (o *owed) stats() (left int, dropped uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.keys), o.dropped
}

// take returns the oldest, and drops those that are too old. They stay until
// they are paid.
func (o *owed) take() (batch []*debt, claims []hook.Claim) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.order) > 0 && (o.order[0].paid || time.Since(o.order[0].at) > owedTime) {
		o.drop()
	}
	for _, d := range o.order {
		if len(batch) == owedBatch {
			break
		}
		if left := d.claim.TTL - time.Since(d.at); !d.paid && left > 0 {
			c := d.claim
			c.TTL = left
			batch, claims = append(batch, d), append(claims, c)
		}
	}
	return batch, claims
}

// pay takes away what was written.
func (o *owed) pay(batch []*debt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range batch {
		d.paid = true
		if o.keys[d.claim.Key] == d {
			delete(o.keys, d.claim.Key)
		}
	}
	for len(o.order) > 0 && o.order[0].paid {
		o.order = o.order[1:]
	}
}

// write writes one batch to the store. It reports whether there was one.
func (o *owed) write(ctx context.Context, s *side) (some bool, err error) {
	batch, claims := o.take()
	if len(batch) == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	// Not under the breaker: nobody waits for it, and it decides nothing.
	if err := s.store.Commit(ctx, claims...); err != nil {
		return true, err
	}
	o.pay(batch)
	return true, nil
}

// run writes what comes, while may is true, until stop is closed.
func (o *owed) run(stop <-chan struct{}, s *side, log *zap.Logger, may func() bool) {
	var (
		pause  time.Duration // 0 while all is well
		warned uint64
	)
	for {
		if pause == 0 {
			select { // nothing to do
			case <-stop:
				return
			case <-o.wake:
			}
		}
		wait := time.NewTimer(max(pause, owedGather))
		select {
		case <-stop:
			wait.Stop()
			return
		case <-wait.C:
		}
		for pause = 0; ; {
			if !may() {
				pause = firstPause
				break
			}
			some, err := o.write(context.Background(), s)
			if err != nil {
				s.commitFailures.Add(1)
				log.Debug("a commit in the other store failed", zap.String("store", s.name), zap.Error(err))
				pause = min(max(2*pause, 4*firstPause), owedPause)
			}
			if err != nil || !some {
				break
			}
		}
		if _, dropped := o.stats(); dropped > warned {
			log.Warn("commits could not be written to the other store and were given up: after a switch, copies of their events may be let through",
				zap.String("store", s.name), zap.Uint64("count", dropped-warned))
			warned = dropped
		}
	}
}

// drain writes all of it.
func (o *owed) drain(ctx context.Context, s *side) error {
	for ctx.Err() == nil {
		if some, err := o.write(ctx, s); err != nil || !some {
			return err
		}
	}
	return ctx.Err()
}
