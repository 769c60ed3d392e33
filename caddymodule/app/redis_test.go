package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// openRedis provisions and opens a store, without starting it.
func openRedis(t *testing.T, s RedisStore) (hook.Store, Handle) {
	t.Helper()
	if err := s.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	store, h, err := s.OpenStore(Env{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Release(); err != nil {
			t.Error(err)
		}
	})
	return store, h
}

func ready(t *testing.T, store hook.Store, h Handle) {
	t.Helper()
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store is ready", func() bool { return store.Ready() == nil })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestEqualSettingsShareARedisStore(t *testing.T) {
	t.Setenv("REDIS_TEST_PASSWORD", "x")
	// Nothing listens there, which nobody finds out.
	base := RedisStore{URLs: []string{"redis://127.0.0.1:1/0"}, Password: "{env.REDIS_TEST_PASSWORD}"}
	first, _ := openRedis(t, base)
	if again, _ := openRedis(t, base); again != first {
		t.Error("equal settings do not share")
	}
	for name, other := range map[string]RedisStore{
		"another address":  {URLs: []string{"redis://127.0.0.1:2/0"}, Password: base.Password},
		"another database": {URLs: []string{"redis://127.0.0.1:1/1"}, Password: base.Password},
		"another user":     {URLs: base.URLs, Password: base.Password, Username: "u"},
		"another password": {URLs: base.URLs, Password: "{env.REDIS_TEST_PASSWORD}2"},
		"no password":      {URLs: base.URLs},
		"another prefix":   {URLs: base.URLs, Password: base.Password, Prefix: "p:"},
		"another mode":     {URLs: base.URLs, Password: base.Password, Mode: "cluster"},
		"TLS":              {URLs: base.URLs, Password: base.Password, TLS: new(TLS)},
		"a server's name":  {URLs: base.URLs, Password: base.Password, TLS: &TLS{ServerName: "n"}},
	} {
		if store, _ := openRedis(t, other); store == first {
			t.Errorf("%s: shared", name)
		}
	}
}

func TestRedisSettingsThatAreRefused(t *testing.T) {
	t.Setenv("REDIS_TEST_URL", "redis://u:hunter2@a:1")
	none := filepath.Join(t.TempDir(), "none")
	for name, s := range map[string]RedisStore{
		"no URL":                   {},
		"a literal password":       {URLs: []string{"redis://a"}, Password: "hunter2"},
		"a literal one in the URL": {URLs: []string{"redis://u:hunter2@{env.REDIS_TEST_URL}"}},
		"a URL that is not set":    {URLs: []string{"{env.REDIS_TEST_UNSET}"}},
		"a password not set":       {URLs: []string{"redis://a"}, Password: "{env.REDIS_TEST_UNSET}"},
		"two passwords":            {URLs: []string{"{env.REDIS_TEST_URL}"}, Password: "{env.REDIS_TEST_URL}"},
		"two users":                {URLs: []string{"{env.REDIS_TEST_URL}"}, Username: "v"},
		"an unknown mode":          {URLs: []string{"redis://a"}, Mode: "ring"},
		"two servers":              {URLs: []string{"redis://a", "redis://b"}},
		"a literal sentinel's":     {URLs: []string{"redis://a"}, Mode: "sentinel", Master: "m", SentinelPassword: "hunter2"},
		"a sentinel's not set":     {URLs: []string{"redis://a"}, Mode: "sentinel", Master: "m", SentinelPassword: "{env.REDIS_TEST_UNSET}"},
		"a sentinel's user alone":  {URLs: []string{"redis://a"}, Mode: "sentinel", Master: "m", SentinelUsername: "u"},
		"no sentinels":             {URLs: []string{"redis://a"}, SentinelPassword: "{env.REDIS_TEST_URL}"},
		"no master":                {URLs: []string{"redis://a"}, Mode: "sentinel"},
		"no authorities":           {URLs: []string{"redis://a"}, TLS: &TLS{CA: none}},
		"no certificate":           {URLs: []string{"redis://a"}, TLS: &TLS{Certificate: none, Key: none}},
		"no key":                   {URLs: []string{"redis://a"}, TLS: &TLS{Certificate: none}},
		"a URL in the wrong place": {URLs: []string{"redis://u@{env.REDIS_TEST_URL}"}},
	} {
		if err := s.Provision(caddy.Context{}); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPasswordFileIsReadForEachConnection(t *testing.T) {
	r := servers.StartRedis(t)
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	for name, s := range map[string]RedisStore{
		"in its place": {URLs: []string{"redis://" + r.Addr}, Username: "edge", Password: "{file." + file + "}"},
		"in the URL":   {URLs: []string{"redis://edge:{file." + file + "}@" + r.Addr}},
	} {
		t.Run(name, func(t *testing.T) {
			write("one")
			r.Do("acl", "setuser", "edge", "reset", "on", ">one", "~*", "+@all")
			store, h := openRedis(t, s)
			ready(t, store, h)
			r.Do("acl", "setuser", "edge", "resetpass", ">two")
			r.Do("client", "kill", "user", "edge")
			claim := hook.Claim{Key: "k", Lease: time.Second}
			if _, _, err := store.Claim(t.Context(), claim); err == nil {
				t.Error("claimed with the old password")
			}
			write("two")
			eventually(t, "the new password is used", func() bool { return store.Ready() == nil })
		})
	}
	t.Run("of the sentinels", func(t *testing.T) {
		write("one")
		sentinel := servers.StartSentinel(t, r)
		sentinel.Do("acl", "setuser", "edge", "on", ">two", "allchannels", "+@all")
		sentinel.Do("acl", "setuser", "default", "off")
		store, h := openRedis(t, RedisStore{
			URLs: []string{"redis://" + sentinel.Addr}, Mode: "sentinel", Master: servers.SentinelMaster,
			SentinelUsername: "edge", SentinelPassword: "{file." + file + "}",
		})
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the old password is refused", func() bool {
			err := store.Ready()
			return err != nil && strings.Contains(err.Error(), "WRONGPASS")
		})
		write("two")
		eventually(t, "the new password is used", func() bool { return store.Ready() == nil })
	})
	if n := redisMetrics(t); n != 0 {
		t.Errorf("%d metrics of nothing", n)
	}
	store, h := openRedis(t, RedisStore{URLs: []string{"redis://" + r.Addr}})
	ready(t, store, h)
	if n := redisMetrics(t); n != 14 {
		t.Errorf("%d metrics", n)
	}
}

// redisMetrics returns how many metrics there are of the open stores.
func redisMetrics(t *testing.T) (n int) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(new(redisCollector)); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		n += len(f.GetMetric())
	}
	return n
}

func TestAnInboxInRedisHasMoreTimeThanAClaimOfAHook(t *testing.T) {
	r, p := servers.StartRedis(t), startPostgres(t)
	for name, s := range map[string]*RedisStore{
		"alone": {URLs: []string{"redis://" + r.Addr}},
		"with a fallback": {
			URLs:        []string{"redis://" + r.Addr},
			FallbackRaw: guestOf("postgres", map[string]any{"dsn": p.DSN("hookgate_edge", "postgres")}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			hooks, h := openDriver(t, s, Env{})
			ready(t, hooks, h)
			inbox, h := openDriver(t, s, Env{Inbox: true})
			ready(t, inbox, h)
			took := func(store hook.Store, key string) bool {
				_, _, err := store.Claim(t.Context(), hook.Claim{Key: key, Token: hook.NewToken(), Lease: time.Second, TTL: time.Minute})
				found, redisErr := r.Try("exists", key)
				return err == nil && redisErr == nil && found == int64(1)
			}
			r.Do("client", "pause", 400, "write")
			if !took(inbox, "inbox:"+name) {
				t.Error("a claim of the inbox did not wait for Redis")
			}
			r.Do("client", "pause", 400, "write")
			if took(hooks, "hookgate:"+name) {
				t.Error("a claim of a hook waited for Redis")
			}
		})
	}
}

func TestRedisWithTLS(t *testing.T) {
	dir := t.TempDir()
	certificates(t, dir)
	path := func(name string) string { return filepath.Join(dir, name) }
	addr := net.JoinHostPort("127.0.0.1", servers.FreePort(t))
	_, port, _ := net.SplitHostPort(addr)
	servers.StartRedis(t, "--tls-port", port, "--tls-auth-clients", "yes",
		"--tls-ca-cert-file", path("ca.pem"), "--tls-cert-file", path("cert.pem"), "--tls-key-file", path("key.pem"))
	whole := TLS{CA: path("ca.pem"), Certificate: path("cert.pem"), Key: path("key.pem"), ServerName: "redis.test"}
	store, h := openRedis(t, RedisStore{URLs: []string{"rediss://" + addr}, TLS: &whole})
	ready(t, store, h)
	for name, change := range map[string]func(*TLS){
		"an unknown authority": func(s *TLS) { s.CA = "" },
		"another name":         func(s *TLS) { s.ServerName = "other.test" },
		"no certificate":       func(s *TLS) { s.Certificate, s.Key = "", "" },
	} {
		s := whole
		change(&s)
		store, h := openRedis(t, RedisStore{URLs: []string{"redis://" + addr}, TLS: &s})
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := store.Claim(t.Context(), hook.Claim{Key: "k", Lease: time.Second}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// certificates writes ca.pem, and cert.pem with key.pem for redis.test, to a
// folder.
func certificates(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, kind string, der []byte) {
		must(os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	must(err)
	write("ca.pem", "CERTIFICATE", der)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"redis.test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	der, err = x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	must(err)
	write("cert.pem", "CERTIFICATE", der)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	write("key.pem", "PRIVATE KEY", private)
}
