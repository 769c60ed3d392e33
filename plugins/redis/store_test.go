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
	"github.com/hookgate/hookgate/integration/conform"
	"github.com/hookgate/hookgate/integration/servers"
)

// paths are the two ways to claim.
func paths(t *testing.T, test func(t *testing.T, change ...func(*Options))) {
	t.Run("in one step", func(t *testing.T) { test(t) })
	t.Run("in two steps", func(t *testing.T) { test(t, twoStep) })
}

func TestKeys(t *testing.T) {
	check := func(t *testing.T, s *Store) { conform.Store(t, s) }
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
	paths(t, func(t *testing.T, change ...func(*Options)) { conform.Race(t, open(t, r.Addr, change...)) })
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

func TestWhatAnotherStoreHasCommittedIsTaken(t *testing.T) {
	s := open(t, server(t).Addr)
	conform.Restorer(t, s)
	c := claimOn("outlived", 1, 1)
	if err := s.Restore(t.Context(), hook.Record{Key: c.Key, TTL: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its time to live is over", func() bool {
		state, _, err := s.Claim(t.Context(), c)
		return err == nil && state == hook.Ours
	})
}
