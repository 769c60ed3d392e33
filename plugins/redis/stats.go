package redis

import (
	"errors"
	"sync/atomic"
)

// Stats are numbers about a Store, from memory.
type Stats struct {
	Waiting int    // claims that wait for a flusher
	Claims  uint64 // claims sent since Start
	Batches uint64 // pipelines that they were sent in
	Retries uint64 // operations that were sent again after their connection broke

	// Failures since Start.
	Timeouts    uint64 // no answer in time
	Unreachable uint64 // no connection, or it broke twice
	Refused     uint64 // the server answered with an error
	Foreign     uint64 // the value under the key was no claim

	Connections int // open ones
	Idle        int // of them, those that nobody uses

	// What the servers said of themselves, in sum. Zero until they did.
	Version     string // the oldest
	Policy      string // maxmemory_policy: the first that may evict, if there is one
	Evicts      bool   // the policy is another than noeviction
	EvictedKeys uint64
	UsedMemory  uint64 // bytes
	MaxMemory   uint64 // bytes; 0 for no limit
}

type counts struct {
	claims, batches, retries                atomic.Uint64
	timeouts, unreachable, refused, foreign atomic.Uint64
}

// Stats returns the current numbers. It answers from memory.
func (s *Store) Stats() Stats {
	st := Stats{
		Waiting:     len(s.queue),
		Claims:      s.counts.claims.Load(),
		Batches:     s.counts.batches.Load(),
		Retries:     s.counts.retries.Load(),
		Timeouts:    s.counts.timeouts.Load(),
		Unreachable: s.counts.unreachable.Load(),
		Refused:     s.counts.refused.Load(),
		Foreign:     s.counts.foreign.Load(),
		Version:     s.dialect.String(),
	}
	if f := s.facts.Load(); f != nil {
		st.Policy, st.Evicts, st.EvictedKeys = f.policy, f.evicts, f.evicted
		st.UsedMemory, st.MaxMemory = f.used, f.limit
	}
	if s.phase.Load() != phaseNew && s.client != nil {
		p := s.client.PoolStats()
		st.Connections, st.Idle = int(p.TotalConns), int(p.IdleConns)
	}
	return st
}

// tally counts a failure that a caller is told of.
func (c *counts) tally(err error) {
	switch {
	case err == nil, errors.Is(err, ErrClosed):
	case errors.Is(err, ErrForeign):
		c.foreign.Add(1)
	case errors.Is(err, ErrTimeout):
		c.timeouts.Add(1)
	case errors.Is(err, ErrUnreachable):
		c.unreachable.Add(1)
	default:
		c.refused.Add(1)
	}
}
