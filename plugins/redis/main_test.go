package redis

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The user of deploy/redis/users.acl, under which everything is tested.
const (
	username = "hookgate"
	password = "correct-horse"
)

// grant gives a server the user, with a password.
func grant(t testing.TB, r *servers.Redis) {
	t.Helper()
	grantUser(t, r, username)
}

// grantUser gives a server a user of the file, with the same password.
func grantUser(t testing.TB, r *servers.Redis, username string) {
	t.Helper()
	raw, err := os.ReadFile("../../deploy/redis/users.acl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[1] != username {
			continue
		}
		args := []any{"acl", "setuser"}
		for _, w := range words[1:] {
			args = append(args, w)
		}
		r.Do(append(args, ">"+password)...)
		return
	}
	t.Fatal("no such user in the file")
}

func server(t testing.TB, args ...string) *servers.Redis {
	t.Helper()
	r := servers.StartRedis(t, args...)
	grant(t, r)
	return r
}

func credentials(context.Context) (Credentials, error) {
	return Credentials{username, password}, nil
}

// open starts a store that is closed at the end of the test, and waits until
// it works.
func open(t testing.TB, addr string, change ...func(*Options)) *Store {
	t.Helper()
	s := begin(t, addr, change...)
	eventually(t, "the store is ready", func() bool { return s.Ready() == nil })
	return s
}

// begin is open without the wait.
func begin(t testing.TB, addr string, change ...func(*Options)) *Store {
	t.Helper()
	opts := Options{Addrs: []string{addr}, Credentials: credentials}
	for _, c := range change {
		c(&opts)
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.tick, s.survey = 10*time.Millisecond, 20*time.Millisecond
	run(t, s)
	return s
}

// quiet returns a store that sends nothing by itself, once it has looked at a
// server that it is the first to use.
func quiet(t testing.TB, r *servers.Redis, addr string, change ...func(*Options)) *Store {
	t.Helper()
	opts := Options{Addrs: []string{addr}, Credentials: credentials}
	for _, c := range change {
		c(&opts)
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.tick = time.Hour
	run(t, s)
	eventually(t, "it has looked", func() bool { // a script is the last that it tries
		return strings.Contains(r.Do("info", "commandstats").(string), "cmdstat_eval:")
	})
	return s
}

func run(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// logged has a store log into the returned logs.
func logged() (func(*Options), *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return func(o *Options) { o.Logger = zap.New(core) }, logs
}

func twoStep(o *Options) { o.TwoStep = true }

// claimOn returns a claim with a token and fingerprint made of the bytes.
func claimOn(key string, token, fp byte) hook.Claim {
	return hook.Claim{
		Key: "hookgate:h:" + key, Token: hook.Token{token}, Fingerprint: hook.Fingerprint{fp},
		Lease: 2 * time.Second, TTL: 48 * time.Hour,
	}
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(15 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// mustClaim claims and checks the outcome.
func mustClaim(t testing.TB, s *Store, c hook.Claim, want hook.State, fp byte) {
	t.Helper()
	state, sum, err := s.Claim(t.Context(), c)
	if err != nil || state != want || sum != (hook.Fingerprint{fp}) {
		t.Fatalf("%v %v %v, want %v %d", state, sum[0], err, want, fp)
	}
}

// slowest runs n calls at once, again and again until enough is true, and
// returns how long the slowest took.
func slowest(n int, call func(), enough func() bool) time.Duration {
	var (
		mu    sync.Mutex
		worst time.Duration
		all   sync.WaitGroup
	)
	for range n {
		all.Go(func() {
			for !enough() {
				from := time.Now()
				call()
				took := time.Since(from)
				mu.Lock()
				worst = max(worst, took)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return worst
}
