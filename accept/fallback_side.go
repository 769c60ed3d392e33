package accept

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/hookgate/hookgate/hook"
)

// side is one of the two stores of a Fallback.
type side struct {
	name    string
	store   hook.Store
	timeout time.Duration // of a claim; 0 for the store's own
	ignore  func(error) bool
	breaker *gobreaker.CircuitBreaker[answer]
	last    atomic.Pointer[error] // the last failure that counted
	owed    *owed

	claims, failures, commitFailures atomic.Uint64
}

// answer is what a claim returns.
type answer struct {
	state hook.State
	fp    hook.Fingerprint
}

// uncounted is an error that says nothing of the store.
type uncounted struct{ error }

func (e *uncounted) Unwrap() error { return e.error }

// errAside means that a store is not asked now, because it did not answer.
var errAside = errors.New("it does not answer, and is left alone for a second")

// The breaker opens after so many failures in a row, or when more than half of
// so many in the window fail.
const (
	inARow = 5
	enough = 20
	window = 5 * time.Second
)

func newSide(name string, store hook.Store, timeout time.Duration, ignore func(error) bool, opened func(error)) *side {
	s := &side{name: name, store: store, timeout: timeout, ignore: ignore, owed: newOwed()}
	s.breaker = gobreaker.NewCircuitBreaker[answer](gobreaker.Settings{
		Name: name, MaxRequests: 1, Interval: window, BucketPeriod: window / 5, Timeout: openTime,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			n := c.TotalSuccesses + c.TotalFailures
			return c.ConsecutiveFailures >= inARow || n >= enough && 2*c.TotalFailures > n
		},
		IsExcluded: func(err error) bool { _, ok := errors.AsType[*uncounted](err); return ok },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen && opened != nil {
				opened(s.lastFailure())
			}
		},
	})
	return s
}

func (s *side) lastFailure() error {
	if err := s.last.Load(); err != nil {
		return *err
	}
	return nil
}

// try runs an operation under the breaker. What ends because the caller's time
// is over does not count.
func (s *side) try(ctx context.Context, limit time.Duration, run func(context.Context) (answer, error)) (answer, error) {
	a, err := s.breaker.Execute(func() (answer, error) {
		bounded := ctx
		if limit > 0 {
			var cancel context.CancelFunc
			bounded, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		a, err := run(bounded)
		switch {
		case err == nil:
		case ctx.Err() != nil, s.ignore != nil && s.ignore(err):
			err = &uncounted{err}
		default:
			if bounded.Err() != nil { // not the caller's deadline
				err = errSlow
			}
			s.last.Store(&err)
		}
		return a, err
	})
	if e, ok := errors.AsType[*uncounted](err); ok {
		err = e.error
	}
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = errAside
	}
	return a, err
}

// errSlow means that a store took longer than it may.
var errSlow = errors.New("it did not answer in time")

// claim asks for a claim.
func (s *side) claim(ctx context.Context, c hook.Claim) (answer, error) {
	a, err := s.try(ctx, s.timeout, func(ctx context.Context) (a answer, err error) {
		a.state, a.fp, err = s.store.Claim(ctx, c)
		return a, err
	})
	if err != nil && ctx.Err() == nil {
		s.failures.Add(1)
	}
	return a, err
}

// commit commits claims now.
func (s *side) commit(ctx context.Context, limit time.Duration, claims []hook.Claim) error {
	_, err := s.try(ctx, limit, func(ctx context.Context) (answer, error) {
		return answer{}, s.store.Commit(ctx, claims...)
	})
	if err != nil && ctx.Err() == nil {
		s.commitFailures.Add(1)
	}
	return err
}
