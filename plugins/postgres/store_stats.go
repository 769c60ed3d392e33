package postgres

import (
	"errors"
	"sync/atomic"
)

// StoreStats are numbers about a Store, from memory.
type StoreStats struct {
	Claims  uint64 // claims since Start
	Retries uint64 // operations that were sent again after their connection broke
	Expired uint64 // rows that were deleted because they had run out

	// Failures since Start.
	Timeouts    uint64 // no answer in time
	Unreachable uint64 // no connection, or it broke twice
	Refused     uint64 // the server answered with an error

	Connections int // open ones
	Idle        int // of them, those that nobody uses
}

type counts struct {
	claims, retries, expired       atomic.Uint64
	timeouts, unreachable, refused atomic.Uint64
}

// Stats returns the current numbers. It answers from memory.
func (s *Store) Stats() StoreStats {
	st := StoreStats{
		Claims:      s.counts.claims.Load(),
		Retries:     s.counts.retries.Load(),
		Expired:     s.counts.expired.Load(),
		Timeouts:    s.counts.timeouts.Load(),
		Unreachable: s.counts.unreachable.Load(),
		Refused:     s.counts.refused.Load(),
	}
	if s.phase.Load() == phaseRunning {
		p := s.pool.Stat()
		st.Connections, st.Idle = int(p.TotalConns()), int(p.IdleConns())
	}
	return st
}

// tally counts a failure that a caller is told of.
func (c *counts) tally(err error) {
	switch {
	case errors.Is(err, ErrTimeout):
		c.timeouts.Add(1)
	case errors.Is(err, ErrUnreachable):
		c.unreachable.Add(1)
	case errors.Is(err, ErrRefused):
		c.refused.Add(1)
	}
}
