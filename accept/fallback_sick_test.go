package accept

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
)

// sick is a fakeStore that a test makes ill. It lists and restores.
type sick struct {
	*fakeStore
	how   atomic.Int32
	asked atomic.Int64 // claims that came, with probes
	at    map[string]time.Time
	deaf  atomic.Bool // takes nothing back
}

// The ways to be ill.
const (
	well    int32 = iota
	refuses       // fails at once, without effect
	hangs         // until the context ends, or for 100 ms at most
	mumbles       // takes effect, and its answer is lost
)

var errSick = errors.New("sick")

func newSick() *sick { return &sick{fakeStore: newFakeStore(), at: map[string]time.Time{}} }

func (s *sick) call(ctx context.Context, fn func()) error {
	switch s.how.Load() {
	case refuses:
		return errSick
	case hangs:
		timer := time.NewTimer(100 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return errSick
		}
	case mumbles:
		fn()
		return errSick
	}
	fn()
	return nil
}

func (s *sick) Claim(ctx context.Context, c hook.Claim) (state hook.State, fp hook.Fingerprint, err error) {
	s.asked.Add(1)
	err = s.call(ctx, func() { state, fp, _ = s.fakeStore.Claim(ctx, c) })
	if err != nil {
		return 0, hook.Fingerprint{}, err
	}
	return state, fp, nil
}

func (s *sick) Renew(ctx context.Context, c hook.Claim) (held bool, err error) {
	err = s.call(ctx, func() { held, _ = s.fakeStore.Renew(ctx, c) })
	return held && err == nil, err
}

func (s *sick) Release(ctx context.Context, c hook.Claim) error {
	return s.call(ctx, func() { _ = s.fakeStore.Release(ctx, c) })
}

func (s *sick) Commit(ctx context.Context, cs ...hook.Claim) error {
	return s.call(ctx, func() {
		_ = s.fakeStore.Commit(ctx, cs...)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range cs {
			s.at[c.Key] = time.Now()
		}
	})
}

func (s *sick) List(ctx context.Context, within time.Duration, fn func([]hook.Record) error) error {
	var all []hook.Record
	if err := s.call(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for key, e := range s.keys {
			if e.committed && time.Since(s.at[key]) <= within && time.Now().Before(e.expires) {
				all = append(all, hook.Record{Key: key, Fingerprint: e.fp, TTL: time.Until(e.expires)})
			}
		}
	}); err != nil {
		return err
	}
	for len(all) > 0 {
		n := min(len(all), 3)
		if err := fn(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func (s *sick) Restore(ctx context.Context, rs ...hook.Record) error {
	if s.deaf.Load() {
		return errSick
	}
	return s.call(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, r := range rs {
			if _, found := s.get(r.Key); !found {
				s.keys[r.Key] = entry{committed: true, fp: r.Fingerprint, expires: time.Now().Add(r.TTL)}
				s.at[r.Key] = time.Now()
			}
		}
	})
}

func (s *sick) Ready() error {
	if s.how.Load() != well {
		return errSick
	}
	return nil
}

// has reports whether the key of an event is committed.
func (s *sick) has(id string) bool {
	key := newClaim(id).Key
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.get(key)
	return ok && e.committed
}

// knows reports whether a key is held or committed.
func (s *sick) knows(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.get(key)
	return ok
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys)
}

// pair is a Fallback over two stores.
type pair struct {
	*Fallback
	t                  testing.TB
	primary, secondary *sick
	logs               *observer.ObservedLogs
	changes            []bool
	mu                 sync.Mutex
}

// inPair runs a test in a bubble of virtual time.
func inPair(t *testing.T, test func(p *pair)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newSick(), newSick())
		test(p)
		p.end()
	})
}

func newPair(t testing.TB, primary, secondary *sick, change ...func(*FallbackOptions)) *pair {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	p := &pair{t: t, primary: primary, secondary: secondary, logs: logs}
	opts := FallbackOptions{Primary: primary, Secondary: secondary, Logger: zap.New(core), OnChange: func(on bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changes = append(p.changes, on)
	}}
	for _, c := range change {
		c(&opts)
	}
	var err error
	if p.Fallback, err = NewFallback(opts); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) end() {
	for range 2 {
		if err := p.Close(context.Background()); err != nil {
			p.t.Error(err)
		}
	}
}

// is claims under a new token, and checks the answer.
func (p *pair) is(key string, want hook.State) hook.Claim {
	p.t.Helper()
	c := newClaim(key)
	if state, _, err := p.Claim(context.Background(), c); state != want || err != nil {
		p.t.Fatalf("%s is %v %v, want %v", key, state, err, want)
	}
	return c
}

// take takes an event.
func (p *pair) take(key string) {
	p.t.Helper()
	if err := p.Commit(context.Background(), p.is(key, hook.Ours)); err != nil {
		p.t.Fatal(err)
	}
}

// trip leaves the primary.
func (p *pair) trip(how int32) {
	p.t.Helper()
	p.primary.how.Store(how)
	for i := range inARow {
		p.is(fmt.Sprint("trip", time.Now(), i), hook.Ours)
	}
	synctest.Wait()
	if st := p.Stats(); !st.OnFallback || st.Primary.Breaker != "open" {
		p.t.Fatalf("%+v", st)
	}
}
