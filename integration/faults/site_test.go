package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/ledger"
	"github.com/hookgate/hookgate/integration/servers"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// young is how old a queue must be before the broker is killed: RabbitMQ 3.10
// writes their names to disk some seconds late, and a younger one does not come
// back.
const young = 6 * time.Second

// hookPath is where the hook is.
const hookPath = "/webhooks/genesys/pe-action-map"

// site is all that a contact centre would run.
type site struct {
	t        *testing.T
	prefix   string // of names in RabbitMQ, and the name of the database
	redis    *servers.Redis
	toRabbit *servers.Proxy // of the edges; consumers go to the broker itself
	edges    [2]*edge.Edge
	workers  [2]*worker
	letters  *rabbitmq.Queue
	faults   []ledger.Fault
}

var sites atomic.Int64

// options change a site.
type options struct {
	spool string // its block, such as "{ max_size 8MiB }"
}

// newSite starts one, and waits until it is old enough for what comes.
func newSite(t *testing.T, o options) *site {
	t.Helper()
	s := &site{t: t, prefix: fmt.Sprintf("site%d", sites.Add(1))}
	s.redis = servers.StartRedis(t, "--appendonly", "yes")
	s.toRabbit = servers.NewProxy(t, broker.Addr)
	s.makeDatabase()
	for i := range s.edges {
		s.edges[i] = edge.Start(t, program, s.caddyfile(o))
		edge.Eventually(t, time.Minute, "an edge is ready", func() bool { return s.ready(i) })
	}
	queue, err := rabbitmq.New(rabbitmq.Options{Servers: []rabbitmq.Server{{Addr: broker.Addr}}, Vhost: "/", Prefix: s.prefix})
	if err == nil {
		err = queue.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close(context.Background()) })
	s.letters = queue
	for i := range s.workers {
		s.workers[i] = startWorker(t, s)
	}
	begin := time.Now()
	edge.Eventually(t, time.Minute, "the queues are old enough", func() bool { return time.Since(begin) > young })
	return s
}

// makeDatabase makes the tables: claims of the edges, and the effects.
func (s *site) makeDatabase() {
	s.t.Helper()
	if err := postgres.Exec("postgres", "create database "+s.prefix); err != nil {
		s.t.Fatal(err)
	}
	schema, err := os.ReadFile("../../deploy/postgres/schema.sql")
	if err == nil {
		err = postgres.Exec(s.prefix, string(schema))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) caddyfile(o options) string {
	return fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
		store redis redis://%s/0 {
			fallback postgres %s
		}
		queue rabbitmq amqp://%s {
			prefix %s
			spool %s
		}
	}
}

http://:$PORT {
	bind 127.0.0.1
	hookgate_health
	handle /metrics {
		metrics
	}
	genesys_webhook
	respond 404
}
`, s.redis.Addr, postgres.DSN("hookgate_edge", s.prefix), s.toRabbit.Addr, s.prefix, o.spool)
}

func (s *site) ready(i int) bool {
	resp, err := http.Get(s.edges[i].URL("/readyz"))
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// down is a fault: from now until the returned function is called.
func (s *site) down(what string) (up func()) {
	from := time.Now()
	return func() { s.faults = append(s.faults, ledger.Fault{What: what, From: from, To: time.Now()}) }
}

// found returns what there is of the events.
func (s *site) found() (f ledger.Found, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	f = ledger.Found{Effects: make(map[string]int), Dead: make(map[string]int)}
	conn, err := pgx.Connect(ctx, postgres.DSN("postgres", s.prefix))
	if err != nil {
		return f, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "select event_id, count(*) from hookgate.events group by event_id")
	if err != nil {
		return f, err
	}
	var (
		id string
		n  int
	)
	if _, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error { f.Effects[id] = n; return nil }); err != nil {
		return f, err
	}
	return f, s.letters.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
		f.Dead[l.Event.ID]++
		return hook.Verdict{Do: hook.Keep}
	})
}

// spooled returns how many events an edge has in its spool.
func (s *site) spooled(t *testing.T, i int) int {
	t.Helper()
	return int(s.metric(t, i, "hookgate_spool_events"))
}

// metric returns the value of a metric of an edge, its labels added up.
func (s *site) metric(t *testing.T, i int, name string) (sum float64) {
	t.Helper()
	resp, err := http.Get(s.edges[i].URL("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] != name && !strings.HasPrefix(fields[0], name+"{") {
			continue
		}
		v, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}
