// Package conform holds every implementation of an interface of hook against
// the same table, on a real server. It is for tests alone.
package conform

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// step is one call on a key and what it answers.
type step struct {
	do    string // claim, renew, release, commit
	token byte
	fp    byte
	want  string
}

// Claim returns a claim with a token and fingerprint made of the bytes. It is
// kept for 10 minutes at most, on servers that others use too.
func Claim(key string, token, fp byte) hook.Claim {
	return hook.Claim{
		Key: hook.EventKey("h", key), Token: hook.Token{token}, Fingerprint: hook.Fingerprint{fp},
		Lease: 2 * time.Second, TTL: 10 * time.Minute,
	}
}

func (s step) run(d hook.Store, key string) string {
	c, ctx := Claim(key, s.token, s.fp), context.Background()
	switch s.do {
	case "claim":
		c.Lease = time.Minute // however slow the machine is
		st, fp, err := d.Claim(ctx, c)
		return fmt.Sprint(st, fp[0], err)
	case "renew":
		held, err := d.Renew(ctx, c)
		return fmt.Sprint(held, err)
	case "release":
		return fmt.Sprint(d.Release(ctx, c))
	case "commit":
		return fmt.Sprint(d.Commit(ctx, c))
	}
	panic(s.do)
}

// Store checks what every store must do. The keys are those of the test's name.
func Store(t *testing.T, s hook.Store) {
	const (
		ok   = "<nil>"
		held = "true <nil>"
		lost = "false <nil>"
	)
	ours := func(fp int) string { return fmt.Sprint(hook.Ours, fp, nil) }
	pending := func(fp int) string { return fmt.Sprint(hook.Pending, fp, nil) }
	committed := func(fp int) string { return fmt.Sprint(hook.Committed, fp, nil) }
	claim := func(token, fp byte, want string) step { return step{"claim", token, fp, want} }
	for name, steps := range map[string][]step{
		"a free key is claimed, and pending for others": {
			claim(1, 1, ours(1)), claim(2, 2, pending(1)),
		},
		"the same token claims again after a lost answer": {
			claim(1, 1, ours(1)), claim(1, 1, ours(1)),
		},
		"a committed key shows the fingerprint of then": {
			claim(1, 1, ours(1)), {"commit", 1, 1, ok}, claim(2, 2, committed(1)), claim(1, 1, committed(1)),
		},
		"a commit may be repeated, and needs no claim": {
			{"commit", 1, 1, ok}, {"commit", 1, 1, ok}, claim(2, 2, committed(1)),
		},
		"a commit is done whoever holds the key": {
			claim(2, 2, ours(2)), {"commit", 1, 1, ok}, claim(2, 2, committed(1)),
		},
		"a released key is free": {
			claim(1, 1, ours(1)), {"release", 1, 1, ok}, claim(2, 2, ours(2)),
		},
		"a release may be repeated": {
			claim(1, 1, ours(1)), {"release", 1, 1, ok}, {"release", 1, 1, ok},
		},
		"the claim of another is not released": {
			claim(1, 1, ours(1)), {"release", 2, 1, ok}, claim(2, 2, pending(1)),
		},
		"a committed key is not released": {
			claim(1, 1, ours(1)), {"commit", 1, 1, ok}, {"release", 1, 1, ok}, claim(2, 2, committed(1)),
		},
		"only the holder renews": {
			claim(1, 1, ours(1)), {"renew", 1, 1, held}, {"renew", 2, 1, lost},
		},
		"nothing and a committed key are not renewed": {
			{"renew", 1, 1, lost}, {"commit", 1, 1, ok}, {"renew", 1, 1, lost},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i, st := range steps {
				if got := st.run(s, t.Name()); got != st.want {
					t.Fatalf("step %d, %s: %s, want %s", i+1, st.do, got, st.want)
				}
			}
		})
	}
	t.Run("many keys are committed at once", func(t *testing.T) {
		var cs []hook.Claim
		for i := range 200 {
			cs = append(cs, Claim(fmt.Sprint(t.Name(), i), 1, byte(i)))
		}
		if err := s.Commit(t.Context(), append(cs, cs[0])...); err != nil { // one of them twice
			t.Fatal(err)
		}
		for i, c := range cs {
			c.Token = hook.Token{2}
			if state, fp, err := s.Claim(t.Context(), c); err != nil || state != hook.Committed || fp[0] != byte(i) {
				t.Fatal(i, state, fp[0], err)
			}
		}
		if err := s.Commit(t.Context()); err != nil {
			t.Error("none at all:", err)
		}
	})
	t.Run("an incomplete claim, and an ended time, are errors", func(t *testing.T) { incomplete(t, s) })
}

func incomplete(t *testing.T, s hook.Store) {
	ctx := t.Context()
	whole := Claim(t.Name(), 1, 1)
	noKey, noLease, noTTL := whole, whole, whole
	noKey.Key, noLease.Lease, noTTL.TTL = "", 0, 0
	for name, call := range map[string]func() error{
		"claim without a key":   func() error { _, _, err := s.Claim(ctx, noKey); return err },
		"claim without a lease": func() error { _, _, err := s.Claim(ctx, noLease); return err },
		"renew without a key":   func() error { _, err := s.Renew(ctx, noKey); return err },
		"renew without a lease": func() error { _, err := s.Renew(ctx, noLease); return err },
		"release without a key": func() error { return s.Release(ctx, noKey) },
		"commit without a key":  func() error { return s.Commit(ctx, whole, noKey) },
		"commit without a TTL":  func() error { return s.Commit(ctx, noTTL) },
		"claim with an ended time": func() error {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, _, err := s.Claim(ended, whole)
			return err
		},
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if state, _, err := s.Claim(ctx, Claim(t.Name(), 2, 2)); state != hook.Ours || err != nil {
		t.Error("one of them had an effect:", state, err)
	}
}

// Race has many callers claim one key at once, through all of the stores, which
// share a server: one of them wins, and the others find it pending.
func Race(t *testing.T, stores ...hook.Store) {
	t.Helper()
	const callers = 64
	var (
		states [callers]hook.State
		all    sync.WaitGroup
		begin  = make(chan struct{})
	)
	for i := range callers {
		all.Go(func() {
			<-begin
			c := Claim(t.Name(), byte(i), byte(i))
			c.Token[1] = 1 // none is 0
			c.Lease = time.Minute
			// On a busy machine one of so many may not be answered in time. It may
			// be repeated, and must not have won twice.
			for deadline := time.Now().Add(10 * time.Second); ; {
				state, _, err := stores[i%len(stores)].Claim(t.Context(), c)
				states[i] = state
				if err == nil {
					return
				}
				if time.Now().After(deadline) {
					t.Error(err)
					return
				}
			}
		})
	}
	close(begin)
	all.Wait()
	n := map[hook.State]int{}
	for _, s := range states {
		n[s]++
	}
	if n[hook.Ours] != 1 || n[hook.Pending] != callers-1 {
		t.Error(n)
	}
}

// Restorer checks what every store must do that takes what another has
// committed.
func Restorer(t *testing.T, s interface {
	hook.Store
	hook.Restorer
},
) {
	ctx := t.Context()
	free, pending, committed, again := Claim(t.Name()+"free", 1, 1), Claim(t.Name()+"pending", 2, 2), Claim(t.Name()+"committed", 3, 3), Claim(t.Name()+"again", 4, 4)
	pending.Lease = time.Minute
	if state, _, err := s.Claim(ctx, pending); err != nil || state != hook.Ours {
		t.Fatal(state, err)
	}
	if err := s.Commit(ctx, committed); err != nil {
		t.Fatal(err)
	}
	var records []hook.Record
	for _, c := range []hook.Claim{free, pending, committed, again, again} {
		records = append(records, hook.Record{Key: c.Key, Fingerprint: hook.Fingerprint{9}, TTL: time.Minute})
	}
	for range 2 {
		if err := s.Restore(ctx, records...); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []struct {
		claim hook.Claim
		state hook.State
		fp    byte
	}{{free, hook.Committed, 9}, {pending, hook.Ours, 2}, {committed, hook.Committed, 3}, {again, hook.Committed, 9}} {
		if state, fp, err := s.Claim(ctx, want.claim); err != nil || state != want.state || fp[0] != want.fp {
			t.Errorf("%d: %v %d %v, want %v %d", i, state, fp[0], err, want.state, want.fp)
		}
	}
	for name, r := range map[string]hook.Record{"without a key": {TTL: time.Minute}, "without a TTL": {Key: free.Key}} {
		if err := s.Restore(ctx, r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := s.Restore(ctx); err != nil {
		t.Error("none at all:", err)
	}
}
