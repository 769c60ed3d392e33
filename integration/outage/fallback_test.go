package outage

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
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

// fallbackRig is a rig with PostgreSQL behind its Redis.
type fallbackRig struct {
	*rig
	postgres *servers.Postgres
}

func newFallbackRig(t *testing.T) *fallbackRig {
	t.Helper()
	r := &fallbackRig{&rig{redis: startRedis(t), prefix: newPrefix()}, startPostgres(t)}
	r.Edge = start(t, setup{
		redis: r.redis.Addr, fallback: r.postgres.DSN("hookgate_edge", "postgres"), rabbit: broker.Addr, prefix: r.prefix,
		hooks: "genesys_webhook\n\tgenesys_webhook " + dataActionPath + " {\n\t\tname data-action\n\t\tsource data-action\n\t}",
	})
	return r
}

// holds waits until the fallback holds the claims, or until it does not.
func (r *fallbackRig) holds(t *testing.T, on bool) {
	t.Helper()
	want := map[bool]float64{true: 1, false: 0}[on]
	edge.Eventually(t, 10*time.Second, fmt.Sprintf("the fallback holds the claims: %v", on), func() bool {
		return metric(t, r.Edge, "hookgate_fallback_active") == want
	})
}

// known checks that events are called duplicates which were taken before.
func (r *fallbackRig) known(t *testing.T, when string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		var a answer
		edge.Eventually(t, 10*time.Second, "there is an answer", func() bool { // not in a moment in which the machine is too busy
			a = post(t, r.Edge, hookPath, payload(id))
			return a.ok()
		})
		if a.code() != "duplicate" {
			t.Errorf("%s, %s is %s", when, id, a.raw)
		}
	}
}

// take posts new events, which must be taken.
func (r *fallbackRig) take(t *testing.T, name string) (ids []string) {
	t.Helper()
	for i := range 10 {
		id := fmt.Sprintf("%s-%s-%d", t.Name(), name, i)
		edge.Eventually(t, 10*time.Second, "it is taken", func() bool { return post(t, r.Edge, hookPath, payload(id)).ok() })
		ids = append(ids, id)
	}
	return ids
}

func TestRedisMayBeAwayWhilePostgreSQLIsThere(t *testing.T) {
	r := newFallbackRig(t)
	for _, d := range []struct {
		name       string
		ruin, heal func()
		lasts      time.Duration
	}{
		{"suspended for a second", r.redis.Suspend, r.redis.Resume, time.Second},
		{"suspended for five", r.redis.Suspend, r.redis.Resume, 5 * time.Second},
		{"killed", r.redis.Kill, r.redis.Restart, 2 * time.Second},
	} {
		t.Run(d.name, func(t *testing.T) {
			l := startLoad(t, r.Edge, hookPath, t.Name())
			edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 50 })
			before := r.take(t, "before")
			begin := time.Now()
			d.ruin()
			r.holds(t, true)
			if a := get(t, r.Edge, "/readyz"); a.status != http.StatusOK || !strings.Contains(a.raw, "store: primary down, on fallback") {
				t.Errorf("%d %s", a.status, a.raw)
			}
			detours := metric(t, r.Edge, "hookgate_fallback_detours_total")
			r.known(t, "during it", before...)
			during := r.take(t, "during")
			r.known(t, "during it", during...)
			edge.Eventually(t, time.Minute, "its time is over", func() bool { return time.Since(begin) > d.lasts })
			if n := metric(t, r.Edge, "hookgate_fallback_detours_total"); n > detours+senders { // some were on their way
				t.Errorf("%v claims were taken to Redis first, after it was left", n-detours)
			}
			d.heal()
			r.holds(t, false)
			t.Logf("%v of the claims made a detour, and %v commits were given back",
				detours, metric(t, r.Edge, "hookgate_fallback_given_back_total"))
			r.known(t, "after it", append(before, during...)...)
			l.serves(20 * time.Second)
			l.settle()
			if good, bad := l.seen("accepted"), l.troubled(); bad > good/20 { // on a busy machine
				t.Errorf("%d of %d answers were bad: %v", bad, good+bad, l.codes)
			}
			there := r.check(t, l)
			for _, id := range append(before, during...) {
				if len(there[id]) != 1 {
					t.Errorf("%s is there %d times", id, len(there[id]))
				}
			}
		})
	}
}

func TestBothStoresMayBeAway(t *testing.T) {
	for name, d := range map[string]struct {
		ruin, heal func(*testing.T, *servers.Postgres)
	}{
		"PostgreSQL is suspended while it serves": {
			func(t *testing.T, p *servers.Postgres) { p.Suspend(t) },
			func(t *testing.T, p *servers.Postgres) { p.Resume(t) },
		},
		"PostgreSQL is killed while it serves": {
			func(_ *testing.T, p *servers.Postgres) { p.Kill() },
			func(t *testing.T, p *servers.Postgres) {
				if err := p.Start(); err != nil {
					t.Fatal(err)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newFallbackRig(t)
			l := startLoad(t, r.Edge, hookPath, t.Name())
			edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 50 })
			r.redis.Suspend()
			r.holds(t, true)
			during := r.take(t, "during")
			d.ruin(t, r.postgres)
			edge.Eventually(t, 10*time.Second, "both are down", func() bool { return l.seen("store_unavailable") > 20 })
			if a := get(t, r.Edge, "/readyz"); a.status != http.StatusServiceUnavailable || !strings.Contains(a.raw, "primary: ") || !strings.Contains(a.raw, "fallback: ") {
				t.Errorf("%d %s", a.status, a.raw)
			}
			unverified := t.Name() + "-unverified"
			edge.Eventually(t, 10*time.Second, "a data action is published all the same", func() bool {
				return post(t, r.Edge, dataActionPath, payload(unverified)).code() == "accepted"
			})
			d.heal(t, r.postgres)
			edge.Eventually(t, 10*time.Second, "the fallback serves again", func() bool { return get(t, r.Edge, "/readyz").status == http.StatusOK })
			r.known(t, "on the fallback", during...)
			r.redis.Resume()
			r.holds(t, false)
			r.known(t, "on Redis", during...)
			l.serves(20 * time.Second)
			l.settle()
			there := r.check(t, l)
			if ds := there[unverified]; len(ds) == 0 || ds[0].Headers["x-hookgate-unverified"] != "true" {
				t.Error("the data action is not there, or does not say that it was not looked for")
			}
		})
	}
}
