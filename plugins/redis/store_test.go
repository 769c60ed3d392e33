package redis

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// paths are the two ways to claim.
func paths(t *testing.T, test func(t *testing.T, change ...func(*Options))) {
	t.Run("in one step", func(t *testing.T) { test(t) })
	t.Run("in two steps", func(t *testing.T) { test(t, twoStep) })
}

// step is one call on a key and what it answers.
type step struct {
	do    string // claim, renew, release, commit
	token byte
	fp    byte
	want  string
}

func (s step) run(d *Store, key string) string {
	cl, ctx := claimOn(key, s.token, s.fp), context.Background()
	cl.TTL = 10 * time.Minute // a server that others use keeps it so long
	switch s.do {
	case "claim":
		st, fp, err := d.Claim(ctx, cl)
		return fmt.Sprint(st, fp[0], err)
	case "renew":
		held, err := d.Renew(ctx, cl)
		return fmt.Sprint(held, err)
	case "release":
		return fmt.Sprint(d.Release(ctx, cl))
	case "commit":
		return fmt.Sprint(d.Commit(ctx, cl))
	}
	panic(s.do)
}

func TestKeys(t *testing.T) {
	const (
		ok   = "<nil>"
		held = "true <nil>"
		lost = "false <nil>"
	)
	ours := func(fp int) string { return fmt.Sprint(hook.Ours, fp, nil) }
	pending := func(fp int) string { return fmt.Sprint(hook.Pending, fp, nil) }
	committed := func(fp int) string { return fmt.Sprint(hook.Committed, fp, nil) }
	claim := func(token, fp byte, want string) step { return step{"claim", token, fp, want} }
	cases := map[string][]step{
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
	}
	check := func(t *testing.T, s *Store) {
		for name, steps := range cases {
			t.Run(name, func(t *testing.T) {
				for i, st := range steps {
					if got := st.run(s, t.Name()); got != st.want {
						t.Fatalf("step %d, %s: %s, want %s", i+1, st.do, got, st.want)
					}
				}
			})
		}
	}
	r := server(t)
	paths(t, func(t *testing.T, change ...func(*Options)) { check(t, open(t, r.Addr, change...)) })
	if url, ok := servers.ExternalRedis(); ok {
		t.Run("on a server of others", func(t *testing.T) {
			paths(t, func(t *testing.T, change ...func(*Options)) { check(t, openURL(t, url, change...)) })
		})
	}
}

// openURL is open for a server of others, with a prefix of its own.
func openURL(t *testing.T, url string, change ...func(*Options)) *Store {
	t.Helper()
	e, err := ParseURLs(url)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, e.Addrs[0], append(change, func(o *Options) {
		o.DB, o.Prefix, o.Timeout = e.DB, "hookgate-test:"+rand.Text()+":", 5*time.Second
		o.Credentials = func(context.Context) (Credentials, error) { return e.Credentials, nil }
		if e.TLS {
			host, _, _ := net.SplitHostPort(e.Addrs[0])
			o.TLS = &tls.Config{ServerName: host}
		}
	})...)
}

func TestALeaseEndsByItselfAndStartsAnew(t *testing.T) {
	r := server(t)
	paths(t, func(t *testing.T, change ...func(*Options)) {
		s := open(t, r.Addr, change...)
		a, b := claimOn(t.Name(), 1, 1), claimOn(t.Name(), 2, 2)
		a.Lease = 50 * time.Millisecond
		mustClaim(t, s, a, hook.Ours, 1)
		eventually(t, "the lease has run out", func() bool {
			state, _, err := s.Claim(t.Context(), b)
			return err == nil && state == hook.Ours
		})
		if held, err := s.Renew(t.Context(), a); held || err != nil {
			t.Error("the first still holds it:", held, err)
		}
		b.Lease = time.Hour
		if held, err := s.Renew(t.Context(), b); !held || err != nil {
			t.Error("not renewed:", held, err)
		}
		if ms := r.Do("pttl", b.Key).(int64); ms < 3_590_000 || ms > 3_600_000 {
			t.Errorf("the lease is %d ms", ms)
		}
	})
}

func TestWhatIsInTheServer(t *testing.T) {
	r := server(t, "--databases", "4")
	r.Do("acl", "setuser", username, "~edge1:*")
	s := open(t, r.Addr, func(o *Options) { o.Prefix = "edge1:"; o.DB = 3 })
	c := hook.Claim{Key: "hookgate:h:k", Lease: 1500 * time.Microsecond, TTL: time.Hour}
	for i := range c.Token {
		c.Token[i] = byte(250 + i)
	}
	for i := range c.Fingerprint {
		c.Fingerprint[i] = byte(240 + i)
	}
	c.Lease = time.Minute
	if _, _, err := s.Claim(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.Do("acl", "setuser", "default", "allkeys")
	const sum = "8PHy8_T19vf4-fr7_P3-_wABAgMEBQYHCAkKCwwNDg8"
	for _, want := range []string{"p:-vv8_f7_AAECAwQFBgcICQ:" + sum, "c:" + sum} {
		got := r.Do("eval", "redis.call('select', 3); return redis.call('get', KEYS[1])", 1, "edge1:"+c.Key)
		if got != want {
			t.Errorf("%v, want %s", got, want)
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneOfManyWins(t *testing.T) {
	r := server(t)
	paths(t, func(t *testing.T, change ...func(*Options)) {
		s := open(t, r.Addr, change...)
		const callers = 64
		var (
			states [callers]hook.State
			all    sync.WaitGroup
			begin  = make(chan struct{})
		)
		for i := range callers {
			all.Go(func() {
				<-begin
				state, _, err := s.Claim(t.Context(), claimOn(t.Name(), byte(i), byte(i)))
				if err != nil {
					t.Error(err)
				}
				states[i] = state
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
	})
}

func TestManyClaimsShareAPipeline(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	const callers, each = 64, 50
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for n := range each {
				key := fmt.Sprint(i, "/", n)
				state, fp, err := s.Claim(t.Context(), claimOn(key, byte(i), byte(n)))
				if err != nil || state != hook.Ours || fp[0] != byte(n) {
					t.Error(state, fp[0], err)
				}
			}
		})
	}
	all.Wait()
	if st := s.Stats(); st.Claims != callers*each || st.Batches >= st.Claims || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

func TestManyKeysAreCommittedAtOnce(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	var cs []hook.Claim
	for i := range 200 {
		cs = append(cs, claimOn(fmt.Sprint("commit", i), 1, byte(i)))
	}
	if err := s.Commit(t.Context(), cs...); err != nil {
		t.Fatal(err)
	}
	for i, c := range cs {
		c.Token = hook.Token{2}
		mustClaim(t, s, c, hook.Committed, byte(i))
	}
	if err := s.Commit(t.Context()); err != nil {
		t.Error("none at all:", err)
	}
}

func TestIncompleteClaimsAreErrors(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	ctx := t.Context()
	whole := claimOn("k", 1, 1)
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
	mustClaim(t, s, claimOn("k", 2, 2), hook.Ours, 2)
}
