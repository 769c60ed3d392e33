package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

func TestAPolicyThatMayEvictIsWarnedOfOnce(t *testing.T) {
	r := server(t, "--maxmemory-policy", "allkeys-lru")
	with, logs := logged()
	s := open(t, r.Addr, with)
	warnings := func() int { return logs.FilterMessageSnippet("may evict").FilterLevelExact(zap.WarnLevel).Len() }
	eventually(t, "it warns", func() bool { return warnings() == 1 })
	if st := s.Stats(); !st.Evicts || st.Policy != "allkeys-lru" || !strings.Contains(st.Version, ".") {
		t.Errorf("%+v", st)
	}
	r.Do("config", "set", "maxmemory-policy", "noeviction")
	eventually(t, "it is noted", func() bool { return !s.Stats().Evicts })
	if warnings() != 1 || logs.FilterMessageSnippet("does not evict any more").Len() != 1 {
		t.Error(logs.All())
	}
	r.Do("config", "set", "maxmemory-policy", "volatile-ttl")
	eventually(t, "it warns again", func() bool { return warnings() == 2 })
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
}

func TestEvictedKeysAreWarnedOf(t *testing.T) {
	r := server(t, "--maxmemory-policy", "allkeys-lru")
	with, logs := logged()
	s := open(t, r.Addr, with)
	eventually(t, "it was asked", func() bool { return s.Stats().Policy != "" })
	if n := s.Stats().EvictedKeys; n != 0 {
		t.Errorf("%d evicted", n)
	}
	used := parseInfo(r.Do("info", "memory").(string)).number("used_memory")
	r.Do("config", "set", "maxmemory", used+1<<20)
	for i := range 3000 {
		r.Do("set", i, strings.Repeat("v", 1000))
	}
	eventually(t, "it warns", func() bool {
		return logs.FilterMessageSnippet("has evicted keys").FilterLevelExact(zap.WarnLevel).Len() > 0
	})
	if n := s.Stats().EvictedKeys; n == 0 {
		t.Error("none in the numbers")
	}
}

func TestAUserThatMayNotAskIsServed(t *testing.T) {
	for _, missing := range []string{"-info", "-evalsha"} {
		t.Run(missing, func(t *testing.T) {
			r := server(t)
			r.Do("acl", "setuser", username, missing)
			with, logs := logged()
			s := open(t, r.Addr, with)
			warnings := func() int { return logs.FilterMessageSnippet("lacks rights").FilterLevelExact(zap.WarnLevel).Len() }
			eventually(t, "it warns", func() bool { return warnings() == 1 })
			mustClaim(t, s, claimOn("k", 1, 1), hook.Ours, 1)
			asked := commandCalls(r, "info")
			eventually(t, "it was surveyed again", func() bool { return commandCalls(r, "info") > asked+5 })
			if n := warnings(); n != 1 {
				t.Errorf("%d warnings", n)
			}
			if n := logs.FilterMessageSnippet("cannot be used").Len(); n != 0 {
				t.Errorf("%d times not usable", n)
			}
		})
	}
}

func TestAnOldServerIsClaimedFromInTwoSteps(t *testing.T) {
	r := server(t)
	s := quiet(t, r, r.Addr)
	if !s.dialect.oneStep() {
		t.Fatal("two steps for a new server")
	}
	s.dialect.version("6.2.14")
	if s.dialect.oneStep() {
		t.Error("one step for an old server")
	}
	mustClaim(t, s, claimOn("k", 1, 1), hook.Ours, 1)
	mustClaim(t, s, claimOn("k", 2, 2), hook.Pending, 1)
	s.dialect.version("7.2.4")
	if !s.dialect.oneStep() {
		t.Error("two steps for a new server")
	}
	s.dialect.refused() // whatever it says
	s.dialect.version("7.2.4")
	if s.dialect.oneStep() {
		t.Error("asked again for what it does not understand")
	}
}

func TestAServerThatKnowsNoNXGetIsAskedInAnotherWay(t *testing.T) {
	old := oldServer(t)
	s := open(t, old, func(o *Options) { o.Credentials = nil })
	for range 3 {
		mustClaim(t, s, claimOn("k", 1, 1), hook.Ours, 1)
		mustClaim(t, s, claimOn("k", 2, 2), hook.Pending, 1)
	}
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
	// It quotes arguments, as of AUTH.
	if err := s.Release(t.Context(), claimOn("k", 1, 1)); !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestChangesAreLoggedOnce(t *testing.T) {
	r := server(t)
	with, logs := logged()
	s := open(t, r.Addr, with)
	eventually(t, "it says so", func() bool { return logs.FilterMessage("redis store can be used").Len() == 1 })
	r.Kill()
	eventually(t, "it says so", func() bool { return logs.FilterMessage("redis store cannot be used").Len() == 1 })
	if _, _, err := s.Claim(t.Context(), claimOn("k", 1, 1)); !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Error(err)
	}
	r.Restart()
	grant(t, r)
	eventually(t, "it says so", func() bool { return logs.FilterMessage("redis store can be used again").Len() == 1 })
	if n := logs.FilterMessage("redis store cannot be used").Len(); n > 2 {
		t.Errorf("%d lines", n)
	}
}

func TestAServerThatComesAndGoesDoesNotFillTheLog(t *testing.T) {
	with, logs := logged()
	opts := Options{Addrs: []string{"a:1"}}
	with(&opts)
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w := watcher{store: s}
	for range 100 {
		w.log(ErrTimeout)
		w.log(nil)
	}
	w.log(ErrTimeout)
	if n := logs.Len(); n != maxLines {
		t.Errorf("%d lines", n)
	}
	w.since = time.Now().Add(-2 * time.Minute)
	w.log(ErrTimeout)
	if n := logs.Len(); n != maxLines+1 {
		t.Errorf("what lasts is not told of: %d lines", n)
	}
}

// commandCalls returns how often the server was asked something, refused or
// not.
func commandCalls(r *servers.Redis, command string) int {
	stat := parseInfo(r.Do("info", "commandstats").(string))["cmdstat_"+command]
	n := 0
	for part := range strings.SplitSeq(stat, ",") {
		name, value, _ := strings.Cut(part, "=")
		if name == "calls" || name == "rejected_calls" {
			i, _ := strconv.Atoi(value)
			n += i
		}
	}
	return n
}

func TestAnInboxIsProbedWithTheRightsOfAConsumer(t *testing.T) {
	r := server(t)
	const consumer = "hookgate-consumer"
	grantUser(t, r, consumer)
	with, logs := logged()
	s := open(t, r.Addr, with, func(o *Options) {
		o.Inbox = true
		o.Credentials = func(context.Context) (Credentials, error) { return Credentials{consumer, password}, nil }
	})
	probes, surveys := commandCalls(r, "set"), commandCalls(r, "info")
	eventually(t, "it was probed and surveyed while nobody used it", func() bool {
		return commandCalls(r, "set") > probes+5 && commandCalls(r, "info") > surveys+5
	})
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
	if n := logs.FilterLevelExact(zap.WarnLevel).Len(); n != 0 {
		t.Error(logs.All())
	}
}

func TestAnotherReasonIsToldOfOnceAMinute(t *testing.T) {
	with, logs := logged()
	opts := Options{Addrs: []string{"a:1"}}
	with(&opts)
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w := watcher{store: s}
	w.log(ErrTimeout)
	w.log(ErrUnreachable)
	if n := logs.Len(); n != 1 {
		t.Errorf("%d lines at once", n)
	}
	w.told = time.Now().Add(-2 * time.Minute)
	w.log(ErrTimeout) // the same again
	if n := logs.Len(); n != 1 {
		t.Errorf("%d lines of the same reason", n)
	}
	w.log(ErrUnreachable)
	if n := logs.FilterMessageSnippet("another reason").Len(); n != 1 {
		t.Errorf("%d lines of another reason", n)
	}
}
