package redis

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/integration/servers"
)

// examine looks at a server as the user of users.acl.
func examine(t *testing.T, addr string, change ...func(*Options)) []doctor.Finding {
	t.Helper()
	opts := Options{Addrs: []string{addr}, Credentials: credentials, Timeout: 10 * time.Second}
	for _, c := range change {
		c(&opts)
	}
	all := Examine(t.Context(), opts)
	for _, f := range all {
		if strings.Contains(f.Seen+f.Advice+f.About, password) {
			t.Errorf("%s shows the password", f.Check)
		}
		if f.Status == doctor.Fail && f.Advice == "" {
			t.Errorf("%s does not say what to do", f.Check)
		}
	}
	return all
}

// status returns that of a check, and what was seen.
func status(all []doctor.Finding, check string) (doctor.Status, string) {
	i := slices.IndexFunc(all, func(f doctor.Finding) bool { return f.Check == check })
	if i < 0 {
		return "", ""
	}
	return all[i].Status, all[i].Seen
}

func TestAServerAsItShouldBeIsFoundWell(t *testing.T) {
	r := server(t, "--appendonly", "yes", "--maxmemory", "100mb")
	all := examine(t, r.Addr)
	checks := 0
	for _, f := range all {
		checks++
		if f.Status != doctor.OK {
			t.Errorf("%s: %s %s", f.Check, f.Status, f.Seen)
		}
	}
	if checks != 10 {
		t.Errorf("%d checks", checks)
	}
	if n := r.Do("dbsize"); n != int64(0) {
		t.Errorf("%v keys are left", n)
	}
	// What was written before is there, and as it was.
	r.Do("set", "hookgate:h:x", "c:1")
	examine(t, r.Addr)
	if v, ttl := r.Do("get", "hookgate:h:x"), r.Do("pttl", "hookgate:h:x"); v != "c:1" || ttl != int64(-1) {
		t.Errorf("%v %v", v, ttl)
	}
}

func TestWhatIsWrongWithAServerIsFound(t *testing.T) {
	r := server(t, "--appendonly", "yes", "--maxmemory", "100mb")
	for _, tc := range []struct {
		name, check string
		set         []any
		back        []any
		want        doctor.Status
	}{
		{"it evicts", "redis.policy", []any{"config", "set", "maxmemory-policy", "allkeys-lru"}, []any{"config", "set", "maxmemory-policy", "noeviction"}, doctor.Fail},
		{"keys of claims alone", "redis.policy", []any{"config", "set", "maxmemory-policy", "volatile-ttl"}, []any{"config", "set", "maxmemory-policy", "noeviction"}, doctor.Fail},
		{"it forgets", "redis.persistence", []any{"config", "set", "appendonly", "no"}, []any{"config", "set", "appendonly", "yes"}, doctor.Warn},
		{"no bound", "redis.memory", []any{"config", "set", "maxmemory", "0"}, []any{"config", "set", "maxmemory", "100mb"}, doctor.Warn},
		{"full", "redis.memory", []any{"config", "set", "maxmemory", "1kb"}, []any{"config", "set", "maxmemory", "100mb"}, doctor.Fail},
		{"full, as a claim meets it", "redis.rights", []any{"config", "set", "maxmemory", "1kb"}, []any{"config", "set", "maxmemory", "100mb"}, doctor.Fail},
		{"a command is not allowed", "redis.rights", []any{"acl", "setuser", username, "-evalsha"}, []any{"acl", "setuser", username, "+evalsha"}, doctor.Fail},
		{"the keys are others", "redis.rights", []any{"acl", "setuser", username, "resetkeys", "~other:*"}, []any{"acl", "setuser", username, "~hookgate:*", "~park:*"}, doctor.Fail},
		{"INFO is not allowed", "redis.reach", []any{"acl", "setuser", username, "-info"}, []any{"acl", "setuser", username, "+info"}, doctor.Fail},
		{"the user is off", "redis.reach", []any{"acl", "setuser", username, "off"}, []any{"acl", "setuser", username, "on"}, doctor.Fail},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.Do(tc.set...)
			got, seen := status(examine(t, r.Addr), tc.check)
			r.Do(tc.back...)
			if got != tc.want {
				t.Errorf("%s: %s %s, want %s", tc.check, got, seen, tc.want)
			}
			if got, seen := status(examine(t, r.Addr), tc.check); got != doctor.OK {
				t.Errorf("%s afterwards: %s %s", tc.check, got, seen)
			}
		})
	}
	got, seen := status(Examine(t.Context(), Options{Addrs: []string{r.Addr}, Credentials: credentials, Timeout: 10 * time.Second}, "inbox:"), "redis.rights")
	if got != doctor.Fail || !strings.Contains(seen, "set on inbox:*") {
		t.Errorf("keys of an inbox: %s %s", got, seen)
	}
	if n := r.Do("dbsize"); n != int64(0) {
		t.Errorf("%v keys are left", n)
	}
}

func TestEvictedKeysAndAReplicaAreFound(t *testing.T) {
	r := server(t, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
	for i := range 200 {
		r.Do("set", i, strings.Repeat("x", 20_000))
	}
	if got, seen := status(examine(t, r.Addr), "redis.evicted"); got != doctor.Warn {
		t.Errorf("%s %s", got, seen)
	}
	replica := servers.StartReplica(t, servers.StartRedis(t))
	grant(t, replica)
	all := examine(t, replica.Addr)
	for _, check := range []string{"redis.role", "redis.rights"} {
		if got, seen := status(all, check); got != doctor.Fail {
			t.Errorf("%s: %s %s", check, got, seen)
		}
	}
}

func TestEachMasterOfAClusterIsExamined(t *testing.T) {
	nodes := servers.StartRedisCluster(t)
	for _, n := range nodes {
		grant(t, n)
	}
	nodes[1].Do("config", "set", "maxmemory-policy", "allkeys-lru")
	all := examine(t, nodes[0].Addr, func(o *Options) { o.Mode = ModeCluster })
	seen := map[string]doctor.Status{}
	for _, f := range all {
		if f.Check == "redis.policy" {
			seen[f.About] = f.Status
		}
		if f.Check == "redis.rights" && f.Status != doctor.OK {
			t.Errorf("%s: %s", f.About, f.Seen)
		}
	}
	for i, n := range nodes {
		want := doctor.OK
		if i == 1 {
			want = doctor.Fail
		}
		if seen[n.Addr] != want {
			t.Errorf("%s: %q, want %s", n.Addr, seen[n.Addr], want)
		}
	}
}

func TestAServerThatIsNotThereIsFound(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"nobody listens":    func(*Options) {},
		"a cluster is gone": func(o *Options) { o.Mode = ModeCluster },
		"no password": func(o *Options) {
			o.Credentials = func(context.Context) (Credentials, error) { return Credentials{}, errNoKey }
		},
	} {
		all := examine(t, "127.0.0.1:"+servers.FreePort(t), change)
		if got, seen := status(all, "redis.reach"); got != doctor.Fail || len(all) != 1 {
			t.Errorf("%s: %s %s, %d findings", name, got, seen, len(all))
		}
	}
}

func TestTheOtherKindOfPortIsToldOf(t *testing.T) {
	authority, err := servers.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	shown := servers.Certificate{File: filepath.Join(dir, "redis.pem"), Key: filepath.Join(dir, "redis.key")}
	if err := authority.Issue(shown, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	port := servers.FreePort(t)
	r := server(t, "--tls-port", port, "--tls-auth-clients", "no", "--tls-ca-cert-file", authority.File,
		"--tls-cert-file", shown.File, "--tls-key-file", shown.Key)
	for advice, all := range map[string][]doctor.Finding{
		"write redis://":  examine(t, r.Addr, func(o *Options) { o.TLS = &tls.Config{InsecureSkipVerify: true} }),
		"write rediss://": examine(t, net.JoinHostPort("127.0.0.1", port)),
	} {
		if len(all) != 1 || all[0].Status != doctor.Fail || !strings.Contains(all[0].Advice, advice) {
			t.Errorf("no %q in %+v", advice, all)
		}
	}
}

// What a server of today cannot be brought to say.
func TestWhatAServerSaysIsGraded(t *testing.T) {
	for _, tc := range []struct {
		name string
		look func(*doctor.Notes, info)
		in   info
		want doctor.Status
	}{
		{"an old version", version, info{"redis_version": "5.0.14"}, doctor.Fail},
		{"one that is none", version, info{}, doctor.Fail},
		{"Redis 6", version, info{"redis_version": "6.2.1"}, doctor.OK},
		{"Redis 10", version, info{"redis_version": "10.0"}, doctor.OK},
		{"a write that failed", persistence, info{"aof_enabled": "1", "aof_last_write_status": "err"}, doctor.Fail},
		{"a snapshot that failed", persistence, info{"aof_enabled": "1", "rdb_last_bgsave_status": "err"}, doctor.Warn},
		{"still loading", persistence, info{"aof_enabled": "1", "loading": "1"}, doctor.Warn},
		{"80 % full", memory, info{"used_memory": "80000", "maxmemory": "100000"}, doctor.Warn},
		{"79 % full", memory, info{"used_memory": "79000", "maxmemory": "100000"}, doctor.OK},
	} {
		n := &doctor.Notes{}
		tc.look(n, tc.in)
		if len(n.List) != 1 || n.List[0].Status != tc.want {
			t.Errorf("%s: %+v, want %s", tc.name, n.List, tc.want)
		}
	}
	for addr, want := range map[string]doctor.Status{"127.0.0.1:6379": doctor.OK, "redis:6379": doctor.Warn} {
		if got, _ := status(ExamineOffline(Options{Addrs: []string{addr}}), "redis.tls"); got != want {
			t.Errorf("no TLS to %s: %s", addr, got)
		}
	}
}
