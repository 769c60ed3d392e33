package accept

import "time"

// FallbackStats are numbers about a Fallback, from memory.
type FallbackStats struct {
	OnFallback bool          // the primary is left
	Returning  bool          // and is told what it has missed
	Spent      time.Duration // on the fallback, in all

	Detours    uint64 // claims that the primary did not answer, and that the secondary was asked for
	GivenBack  uint64 // commits that the primary was told of
	Incomplete uint64 // times that it could not be told all

	Primary, Secondary SideStats
}

// SideStats are numbers about one of the stores.
type SideStats struct {
	Breaker        string // closed, half-open, open
	Claims         uint64 // that it has answered
	Failures       uint64 // claims that it has not
	CommitFailures uint64
	Owed           int    // commits that it is still to get
	Dropped        uint64 // commits that were given up
}

func (s *side) stats() SideStats {
	st := SideStats{
		Breaker: s.breaker.State().String(), Claims: s.claims.Load(),
		Failures: s.failures.Load(), CommitFailures: s.commitFailures.Load(),
	}
	st.Owed, st.Dropped = s.owed.stats()
	return st
}

// Stats returns the current numbers. It answers from memory.
func (f *Fallback) Stats() FallbackStats {
	st := FallbackStats{
		OnFallback: f.now() != onPrimary, Returning: f.now() == returning,
		Detours: f.detours.Load(), GivenBack: f.givenBack.Load(), Incomplete: f.incomplete.Load(),
		Primary: f.primary.stats(), Secondary: f.secondary.stats(),
	}
	f.mu.Lock() // not before: a breaker that opens wants it
	defer f.mu.Unlock()
	st.Spent = f.spent
	if !f.since.IsZero() {
		st.Spent += time.Since(f.since)
	}
	return st
}
