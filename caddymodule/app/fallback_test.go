package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/conform"
	"github.com/hookgate/hookgate/integration/servers"
)

// startPostgres starts a server with the schema of deploy.
func startPostgres(t *testing.T) *servers.Postgres {
	t.Helper()
	p, err := servers.NewPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	schema, err := os.ReadFile("../../deploy/postgres/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Exec("postgres", string(schema)); err != nil {
		t.Fatal(err)
	}
	return p
}

// provision sets a driver up, as a config does.
func provision(t *testing.T, s StoreDriver) error {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return s.(caddy.Provisioner).Provision(ctx)
}

// openDriver provisions and opens a store.
func openDriver(t *testing.T, s StoreDriver, env Env) (hook.Store, Handle) {
	t.Helper()
	if err := provision(t, s); err != nil {
		t.Fatal(err)
	}
	store, h, err := s.OpenStore(env)
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

// guestOf returns a store as it stands in JSON.
func guestOf(driver string, fields map[string]any) json.RawMessage {
	fields["driver"] = driver
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return raw
}

func TestARedisWithAFallbackIsAStoreAsAnyOther(t *testing.T) {
	r, p := servers.StartRedis(t), startPostgres(t)
	s := &RedisStore{
		URLs:        []string{"redis://" + r.Addr},
		FallbackRaw: guestOf("postgres", map[string]any{"dsn": p.DSN("hookgate_edge", "postgres")}),
	}
	store, h := openDriver(t, s, Env{})
	ready(t, store, h)
	eventually(t, "both are ready", func() bool { return store.(hook.Degrader).Degraded() == "" })
	conform.Store(t, store)
	conform.Race(t, store)

	r.Suspend()
	eventually(t, "it is on the fallback", func() bool {
		_, _, _ = store.Claim(t.Context(), conform.Claim(fmt.Sprint(metricsOf(t, new(fallbackCollector))["hookgate_fallback_detours_total"]), 1, 1))
		return store.(hook.Degrader).Degraded() == "primary down, on fallback"
	})
	if err := store.Ready(); err != nil {
		t.Error(err)
	}
	t.Run("on the fallback", func(t *testing.T) { conform.Store(t, store); conform.Race(t, store) })
	m := metricsOf(t, new(fallbackCollector))
	if m["hookgate_fallback_active"] != 1 || m["hookgate_fallback_seconds_total"] <= 0 || m["hookgate_fallback_claims_total"] == 0 || len(m) != 11 {
		t.Error(m)
	}
	if m := metricsOf(t, new(postgresCollector)); m["hookgate_postgres_ready"] != 1 || m["hookgate_postgres_claims_total"] == 0 || len(m) != 6 {
		t.Error(m)
	}
	r.Resume()
	eventually(t, "it is back", func() bool { return store.(hook.Degrader).Degraded() == "" })
	if m := metricsOf(t, new(fallbackCollector)); m["hookgate_fallback_active"] != 0 || m["hookgate_fallback_given_back_total"] == 0 {
		t.Error(m)
	}
	t.Run("after it", func(t *testing.T) { conform.Store(t, store) })
}

// metricsOf returns the sums of what a collector has.
func metricsOf(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			sums[f.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sums
}

func TestEqualSettingsShareAFallback(t *testing.T) {
	base := func() *RedisStore {
		return &RedisStore{
			URLs:        []string{"redis://127.0.0.1:1/0"},
			FallbackRaw: guestOf("postgres", map[string]any{"dsn": "postgres://edge@127.0.0.1:1/app"}),
		}
	}
	first, _ := openDriver(t, base(), Env{})
	if again, _ := openDriver(t, base(), Env{}); again != first {
		t.Error("equal settings do not share")
	}
	if _, ok := first.(*accept.Fallback); !ok {
		t.Errorf("it is a %T", first)
	}
	if durable, _ := openDriver(t, base(), Env{Durable: true}); durable == first {
		t.Error("an inbox shares it")
	}
	for name, change := range map[string]func(*RedisStore){
		"another server": func(s *RedisStore) { s.URLs[0] = "redis://127.0.0.1:2/0" },
		"another fallback": func(s *RedisStore) {
			s.FallbackRaw = guestOf("postgres", map[string]any{"dsn": "postgres://edge@127.0.0.1:1/other"})
		},
		"none": func(s *RedisStore) { s.FallbackRaw = nil },
	} {
		s := base()
		change(s)
		if store, _ := openDriver(t, s, Env{}); store == first {
			t.Errorf("%s: shared", name)
		}
	}
}

func TestFallbackSettingsThatAreRefused(t *testing.T) {
	t.Setenv("PG_TEST_DSN", "postgres://u:hunter2@db:x/")
	for name, raw := range map[string]json.RawMessage{
		"no driver":             json.RawMessage(`{}`),
		"an unknown driver":     guestOf("oracle", map[string]any{}),
		"an unknown field":      guestOf("postgres", map[string]any{"dsn": "postgres://db/app", "prefix": "x"}),
		"no DSN":                guestOf("postgres", map[string]any{}),
		"a literal password":    guestOf("postgres", map[string]any{"dsn": "postgres://u:hunter2@db/app"}),
		"a DSN that is none":    guestOf("postgres", map[string]any{"dsn": "{env.PG_TEST_DSN}"}),
		"a DSN that is not set": guestOf("postgres", map[string]any{"dsn": "{env.PG_TEST_UNSET}"}),
		"a fallback of its own": guestOf("redis", map[string]any{
			"urls": []string{"redis://b"}, "fallback": guestOf("postgres", map[string]any{"dsn": "postgres://db/app"}),
		}),
	} {
		err := provision(t, &RedisStore{URLs: []string{"redis://a"}, FallbackRaw: raw})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheDSNOfAPostgresStoreIsReadForEachConnection(t *testing.T) {
	p := startPostgres(t)
	file := filepath.Join(t.TempDir(), "dsn")
	write := func(user string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(p.DSN(user, "postgres")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("nobody")
	store, h := openDriver(t, &PostgresStore{DSN: "{file." + file + "}"}, Env{Inbox: true, Durable: true})
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is refused", func() bool { return strings.Contains(store.Ready().Error(), "28000") })
	write("hookgate_consumer")
	eventually(t, "it is ready", func() bool { return store.Ready() == nil })
	conform.Store(t, store)
	if other, _ := openDriver(t, &PostgresStore{DSN: "{file." + file + "}"}, Env{}); other == store {
		t.Error("an edge shares it")
	}
}
