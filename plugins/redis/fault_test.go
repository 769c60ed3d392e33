package redis

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// patience is how long an operation may take, with all that a loaded machine
// adds to its 100 ms.
const patience = 400 * time.Millisecond

func TestAnAnswerThatIsLostIsNoFalseDuplicate(t *testing.T) {
	paths(t, func(t *testing.T, change ...func(*Options)) {
		r := server(t)
		p := servers.NewProxy(t, r.Addr)
		s := quiet(t, r, p.Addr, change...)
		c := claimOn(t.Name(), 1, 1)
		p.CutReply()
		mustClaim(t, s, c, hook.Ours, 1)
		if n := s.Stats().Retries; n != 1 {
			t.Errorf("%d retries", n)
		}
		if err := s.Release(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		p.CutReply()
		if err := s.Commit(t.Context(), c); err != nil {
			t.Errorf("commit: %v", err)
		}
		mustClaim(t, s, claimOn(t.Name(), 2, 2), hook.Committed, 1)
		d := claimOn(t.Name()+"renewed", 1, 1)
		mustClaim(t, s, d, hook.Ours, 1)
		p.CutReply()
		if held, err := s.Renew(t.Context(), d); !held || err != nil {
			t.Errorf("renew: %v %v", held, err)
		}
		p.CutReply()
		if err := s.Release(t.Context(), d); err != nil {
			t.Errorf("release: %v", err)
		}
		mustClaim(t, s, d, hook.Ours, 1)
		if err := s.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestOnlyOneAnswerMayBeLost(t *testing.T) {
	r := server(t)
	p := servers.NewProxy(t, r.Addr)
	s := open(t, p.Addr)
	p.Refuse()
	_, _, err := s.Claim(t.Context(), claimOn("k", 1, 1))
	if !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	eventually(t, "it is not ready", func() bool { return errors.Is(s.Ready(), ErrUnreachable) })
	p.Resume()
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	mustClaim(t, s, claimOn("k", 2, 2), hook.Ours, 2)
}

func TestConnectionsThatAreResetAreMadeAnew(t *testing.T) {
	r := server(t)
	p := servers.NewProxy(t, r.Addr)
	s := open(t, p.Addr)
	for i := range 5 {
		p.Reset()
		mustClaim(t, s, claimOn("k", 1, 1), hook.Ours, 1)
		if err := s.Commit(t.Context(), claimOn("c", 1, byte(i))); err != nil {
			t.Error(err)
		}
	}
}

// stall holds a server up, checks that nobody waits for it, lets it go on, and
// checks that the store serves again.
func stall(t *testing.T, s *Store, hold, release func()) {
	t.Helper()
	hold()
	var calls, failed atomic.Int64
	until := time.Now().Add(500 * time.Millisecond)
	worst := slowest(64, func() {
		calls.Add(1)
		_, _, err := s.Claim(context.Background(), claimOn("stalled", byte(calls.Load()), 1))
		switch {
		case errors.Is(err, ErrTimeout):
			failed.Add(1)
		case err != nil && !errors.Is(err, ErrUnreachable):
			t.Error(err)
		}
	}, func() bool { return time.Now().After(until) })
	if worst > patience {
		t.Errorf("a claim took %s", worst)
	}
	if failed.Load() < calls.Load()/2 {
		t.Errorf("%d of %d timed out", failed.Load(), calls.Load())
	}
	for name, call := range map[string]func() error{
		"commit":  func() error { return s.Commit(context.Background(), claimOn("k", 1, 1)) },
		"renew":   func() error { _, err := s.Renew(context.Background(), claimOn("k", 1, 1)); return err },
		"release": func() error { return s.Release(context.Background(), claimOn("k", 1, 1)) },
	} {
		from := time.Now()
		if err := call(); !errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(from); took > patience {
			t.Errorf("%s took %s", name, took)
		}
	}
	if err := s.Ready(); !errors.Is(err, ErrTimeout) {
		t.Errorf("ready: %v", err)
	}
	eventually(t, "nothing waits", func() bool { return s.Stats().Waiting == 0 })
	if n := s.Stats().Connections; n > s.opts.PoolSize {
		t.Errorf("%d connections", n)
	}
	if n := runtime.NumGoroutine(); n > 200 { // the proxy's too, which holds what was given up
		t.Errorf("%d goroutines", n)
	}
	release()
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	eventually(t, "claims are served", func() bool {
		state, _, err := s.Claim(context.Background(), claimOn("after", 1, 1))
		return err == nil && state == hook.Ours
	})
}

func TestASuspendedServerHoldsNobodyUp(t *testing.T) {
	r := server(t)
	stall(t, open(t, r.Addr), r.Suspend, r.Resume)
}

func TestALinkThatPassesNothingHoldsNobodyUp(t *testing.T) {
	for name, hold := range map[string]func(*servers.Proxy){
		"to the server":   (*servers.Proxy).StallUp,
		"from the server": (*servers.Proxy).StallDown,
		"both ways":       func(p *servers.Proxy) { p.StallUp(); p.StallDown() },
		"slowly":          func(p *servers.Proxy) { p.Latency(80 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			r := server(t)
			p := servers.NewProxy(t, r.Addr)
			stall(t, open(t, p.Addr), func() { hold(p) }, p.Resume)
		})
	}
}

func TestTheTimeOfTheCallerIsKept(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	r.Suspend()
	defer r.Resume()
	for name, call := range map[string]func(context.Context) error{
		"claim":   func(ctx context.Context) error { _, _, err := s.Claim(ctx, claimOn("k", 1, 1)); return err },
		"renew":   func(ctx context.Context) error { _, err := s.Renew(ctx, claimOn("k", 1, 1)); return err },
		"release": func(ctx context.Context) error { return s.Release(ctx, claimOn("k", 1, 1)) },
		"commit":  func(ctx context.Context) error { return s.Commit(ctx, claimOn("k", 1, 1)) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, with a deadline: %v", name, err)
		}
		cancel()
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(5*time.Millisecond, cancel)
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, canceled: %v", name, err)
		}
	}
}

func TestAClaimWhoseCallerHasLeftIsNotSent(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	r.Suspend()
	// Every flusher is busy for its 100 ms.
	for range flushers {
		before := s.Stats().Batches
		go func() { _, _, _ = s.Claim(context.Background(), claimOn("busy", 1, 1)) }()
		eventually(t, "it is taken", func() bool { return s.Stats().Batches > before })
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, _, err := s.Claim(ctx, claimOn("left", 1, 1)); left <- err }()
	eventually(t, "it waits", func() bool { return s.Stats().Waiting == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.Resume()
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	mustClaim(t, s, claimOn("left", 2, 2), hook.Ours, 2)
}

func TestAServerThatWasKilledIsUsedAgain(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	c := claimOn("k", 1, 1)
	mustClaim(t, s, c, hook.Ours, 1)
	r.Kill()
	if _, _, err := s.Claim(t.Context(), c); !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	eventually(t, "it is not ready", func() bool { return s.Ready() != nil })
	r.Restart()
	grant(t, r)
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	// It is empty, and does not know the scripts.
	mustClaim(t, s, claimOn("k", 2, 2), hook.Ours, 2)
	if held, err := s.Renew(t.Context(), claimOn("k", 2, 2)); !held || err != nil {
		t.Error(held, err)
	}
}

func TestAServerThatIsNotThereYetIsUsedWhenItIs(t *testing.T) {
	r := server(t)
	r.Kill()
	s := begin(t, r.Addr)
	if err := s.Ready(); err == nil {
		t.Error("ready without an answer")
	}
	eventually(t, "it was tried", func() bool { return errors.Is(s.Ready(), ErrUnreachable) })
	r.Restart()
	grant(t, r)
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
}
