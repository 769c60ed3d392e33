package redis

import (
	"context"
	"runtime"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// flush sends claims until the store is closed. One flusher at a time gathers:
// where all wait, claims that come together wake one each, and go out in as many
// pipelines.
func (s *Store) flush() {
	batch := make([]*op, 0, maxBatch)
	for {
		batch = s.next(batch[:0])
		if batch == nil {
			return
		}
		batch = take(batch, time.Now())
		if len(batch) > 0 {
			s.serve(batch)
		}
	}
}

// next waits for claims and returns all that there are, or nil when the store
// is closed.
func (s *Store) next(batch []*op) []*op {
	s.gathering.Lock()
	defer s.gathering.Unlock()
	select {
	case <-s.stopping:
		return nil
	case o := <-s.queue:
		batch = append(batch, o)
	}
	// Callers that are about to claim get to it, which makes pipelines
	// longer and costs nothing when there are none.
	runtime.Gosched()
	return s.gather(batch)
}

// gather adds the claims that wait.
func (s *Store) gather(batch []*op) []*op {
	for len(batch) < maxBatch {
		select {
		case o := <-s.queue:
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// take keeps the claims whose callers still wait.
func take(batch []*op, now time.Time) []*op {
	kept := batch[:0]
	for _, o := range batch {
		if o.deadline.After(now) && o.phase.CompareAndSwap(opWaiting, opTaken) {
			kept = append(kept, o)
		}
	}
	return kept
}

// serve claims for a batch and answers its callers, until the last of them has
// left.
func (s *Store) serve(batch []*op) {
	last := batch[0].deadline
	for _, o := range batch {
		if o.deadline.After(last) {
			last = o.deadline
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), last)
	defer cancel()
	if s.cluster == nil {
		s.claim(ctx, batch)
		return
	}
	var wg sync.WaitGroup
	for _, part := range s.byNode(ctx, batch) {
		wg.Go(func() { s.claim(ctx, part) })
	}
	wg.Wait()
}

// byNode splits a batch by the node of a cluster that has the keys, so that
// nobody waits for a node that he does not need.
func (s *Store) byNode(ctx context.Context, batch []*op) map[*goredis.Client][]*op {
	parts := make(map[*goredis.Client][]*op)
	for _, o := range batch {
		node, err := s.cluster.MasterForKey(ctx, o.key)
		if err != nil {
			node = nil // the claim itself will say why
		}
		parts[node] = append(parts[node], o)
	}
	return parts
}
