package redis

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// refused checks that claims and commits fail with an answer of the server,
// and that the store says so and recovers.
func refused(t *testing.T, s *Store, answer string, heal func()) {
	t.Helper()
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), answer) {
			t.Errorf("%s: %v, want %s", what, err, answer)
		}
	}
	retries := s.Stats().Retries
	_, _, err := s.Claim(t.Context(), claimOn("refused", 1, 1))
	check("claim", err)
	check("commit", s.Commit(t.Context(), claimOn("refused", 1, 1)))
	check("ready", s.Ready())
	if n := s.Stats().Retries; n != retries {
		t.Errorf("%d retries", n-retries)
	}
	heal()
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	mustClaim(t, s, claimOn("healed", 1, 1), hook.Ours, 1)
}

func TestAServerWithoutMemoryRefuses(t *testing.T) {
	r := server(t, "--maxmemory-policy", "noeviction")
	s := open(t, r.Addr)
	held := claimOn("held", 1, 1)
	mustClaim(t, s, held, hook.Ours, 1)
	r.Do("config", "set", "maxmemory", "1")
	eventually(t, "it is known", func() bool { return s.Ready() != nil || s.Stats().MaxMemory == 1 })
	if err := s.Release(t.Context(), held); err != nil {
		t.Errorf("release: %v", err)
	}
	refused(t, s, "OOM", func() { r.Do("config", "set", "maxmemory", "0") })
}

func TestAReplicaRefuses(t *testing.T) {
	master, r := server(t), server(t)
	host, port, _ := net.SplitHostPort(master.Addr)
	s := open(t, r.Addr)
	r.Do("replicaof", host, port)
	refused(t, s, "READONLY", func() { r.Do("replicaof", "no", "one"); grant(t, r) })
}

func TestAUserWithoutRightsIsRefused(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	r.Do("acl", "setuser", username, "-set")
	refused(t, s, "NOPERM", func() { r.Do("acl", "setuser", username, "+set") })
}

func TestAForeignValueIsAnErrorOfItsKeyAlone(t *testing.T) {
	r := server(t)
	paths(t, func(t *testing.T, change ...func(*Options)) {
		s := open(t, r.Addr, change...)
		sum := strings.Repeat("A", 43)
		for name, value := range map[string]string{
			"empty":              "",
			"a seed's":           "processed",
			"a short sum":        "c:AAAA",
			"a long sum":         "c:" + sum + "AAAA",
			"no sum":             "p:AAAAAAAAAAAAAAAAAAAAAA",
			"a short token":      "p:AAAA:" + sum,
			"padding":            "c:" + sum + "=",
			"another alphabet":   "c:+" + sum[1:],
			"bits after the sum": "c:" + sum[1:] + "B",
			"a line break":       "c:" + sum[1:] + "\n",
			"bytes":              "\x00\xff\r\n",
		} {
			c := claimOn(t.Name()+name, 1, 1)
			r.Do("eval", "redis.call('set', KEYS[1], ARGV[1])", 1, c.Key, value)
			if state, _, err := s.Claim(t.Context(), c); !errors.Is(err, ErrForeign) || state != 0 {
				t.Errorf("%s: %v %v", name, state, err)
			}
			if err := s.Release(t.Context(), c); err != nil {
				t.Errorf("%s: release: %v", name, err)
			}
		}
		c := claimOn(t.Name()+"list", 1, 1)
		r.Do("rpush", c.Key, "a")
		if _, _, err := s.Claim(t.Context(), c); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("list: %v", err)
		}
		if err := s.Release(t.Context(), c); !errors.Is(err, ErrForeign) {
			t.Errorf("release of a list: %v", err)
		}
		if held, err := s.Renew(t.Context(), c); held || !errors.Is(err, ErrForeign) {
			t.Errorf("renewal of a list: %v %v", held, err)
		}
		if err := s.Ready(); err != nil {
			t.Errorf("ready: %v", err)
		}
		if st := s.Stats(); st.Foreign != 14 {
			t.Errorf("%+v", st)
		}
	})
}

// disconnect ends the connections of the user.
func disconnect(r *servers.Redis) { r.Do("client", "kill", "user", username) }

func TestAChangedPasswordIsReadAtTheNextConnection(t *testing.T) {
	r := server(t)
	var current atomic.Value
	current.Store(password)
	s := open(t, r.Addr, func(o *Options) {
		o.Credentials = func(context.Context) (Credentials, error) {
			return Credentials{username, current.Load().(string)}, nil
		}
	})
	r.Do("acl", "setuser", username, "resetpass", ">battery-staple")
	disconnect(r)
	refused(t, s, "WRONGPASS", func() { current.Store("battery-staple") })
	if _, _, err := s.Claim(t.Context(), claimOn("x", 1, 1)); err != nil {
		t.Error(err)
	}
}

func TestNoPasswordIsRefused(t *testing.T) {
	r := server(t)
	r.Do("config", "set", "requirepass", "admin")
	s := begin(t, r.Addr, func(o *Options) { o.Credentials = nil })
	eventually(t, "it was refused", func() bool { return errors.Is(s.Ready(), ErrRefused) })
	if _, _, err := s.Claim(t.Context(), claimOn("k", 1, 1)); !goredis.IsAuthError(err) {
		t.Error(err)
	}
}

func TestNoErrorQuotesThePassword(t *testing.T) {
	r := server(t)
	with, logs := logged()
	s := begin(t, r.Addr, with, func(o *Options) {
		o.Credentials = func(context.Context) (Credentials, error) { return Credentials{username, "hunter2"}, nil }
	})
	_, _, err := s.Claim(t.Context(), claimOn("k", 1, 1))
	if !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	eventually(t, "it is logged", func() bool { return logs.Len() > 0 })
	for _, l := range logs.All() {
		if text := l.Message + l.ContextMap()["error"].(string); strings.Contains(text, "hunter2") {
			t.Error(text)
		}
	}
}

func TestCredentialsThatCannotBeReadAreAnError(t *testing.T) {
	r := server(t)
	gone := errors.New("no such file")
	s := begin(t, r.Addr, func(o *Options) {
		o.Credentials = func(context.Context) (Credentials, error) { return Credentials{}, gone }
	})
	_, _, err := s.Claim(t.Context(), claimOn("k", 1, 1))
	if !errors.Is(err, ErrCredentials) || !errors.Is(err, gone) {
		t.Error(err)
	}
	if n := s.Stats().Retries; n != 0 {
		t.Errorf("%d retries", n)
	}
}

func TestTheShippedUserHasNoPasswordYet(t *testing.T) {
	file, err := filepath.Abs("../../deploy/redis/users.acl")
	if err != nil {
		t.Fatal(err)
	}
	r := servers.StartRedis(t, "--aclfile", file)
	if _, err := r.Try("ping"); !goredis.IsAuthError(err) {
		t.Errorf("the default user: %v", err)
	}
	s := begin(t, r.Addr)
	if _, _, err := s.Claim(t.Context(), claimOn("k", 1, 1)); !goredis.IsAuthError(err) {
		t.Error(err)
	}
}

func TestTheUserMayDoNothingElse(t *testing.T) {
	r := server(t)
	for _, args := range [][]any{
		{"set", "other", "v"},
		{"get", "other"},
		{"keys", "*"},
		{"flushall"},
		{"config", "get", "maxmemory"},
		{"acl", "whoami"},
		{"publish", "channel", "m"},
		{"cluster", "reset"},
	} {
		if answer, err := r.Try(append([]any{"acl", "dryrun", username}, args...)...); err != nil || answer == "OK" {
			t.Errorf("%v: %v %v", args, answer, err)
		}
	}
	s := open(t, r.Addr)
	for _, script := range []string{"return redis.call('get', 'other')", "return redis.call('lpush', 'hookgate:h:k', 'v')"} {
		if err := s.client.Eval(t.Context(), script, nil).Err(); err == nil {
			t.Errorf("%s: no error", script)
		}
	}
}

func TestANodeOfAClusterIsNoSingleServer(t *testing.T) {
	r := server(t, "--cluster-enabled", "yes", "--cluster-port", servers.FreePort(t))
	s := begin(t, r.Addr)
	if _, _, err := s.Claim(t.Context(), claimOn("k", 1, 1)); !goredis.IsClusterDownError(err) {
		t.Error(err)
	}
	moved := failure(answered("MOVED 3999 10.1.2.3:6381"))
	if text := moved.Error(); !strings.Contains(text, "mode cluster") || strings.Contains(text, "10.1.2.3") {
		t.Error(text)
	}
}

// answered is an error as a server answers it.
type answered string

func (e answered) Error() string { return string(e) }
func (answered) RedisError()     {}
