package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// What a consumer writes in the steps that it is killed before.
var (
	toRecord = []byte("\r\nc:")                  // a claim that is committed, to Redis
	toCommit = []byte("commit")                  // to PostgreSQL
	toAck    = []byte{0, 0, 0, 13, 0, 60, 0, 80} // size, class and method of basic.ack (AMQP 0-9-1, section 4.2.3)
)

// short are retries for a test.
var short = []string{"--retry", "1s,2s"}

// waiting returns how many events are in the queue and in its tiers.
func waiting(t *testing.T, broker *servers.RabbitMQ, prefix string) (n int) {
	t.Helper()
	c, err := amqp.Dial(broker.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, queue := range []string{".events", ".retry.1s", ".retry.2s"} {
		in, err := ch.QueueDeclarePassive(prefix+queue, true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		n += in.Messages
	}
	return n
}

// buried returns the dead letters.
func buried(t *testing.T, q *rabbitmq.Queue) (letters []hook.DeadLetter) {
	t.Helper()
	if err := q.Sweep(context.Background(), func(l *hook.DeadLetter) hook.Verdict {
		letters = append(letters, *l)
		return hook.Verdict{}
	}); err != nil {
		t.Fatal(err)
	}
	return letters
}

// killAt starts a consumer, kills it when it has come to a point, which is when
// at returns true, and breaks the connections through the proxies, as the
// kernel would have without them.
func killAt(t *testing.T, at func() bool, proxies []*servers.Proxy, args ...string) {
	t.Helper()
	p := process(t, "quick", args...)
	eventually(t, "the consumer is at the point", at)
	if err := p.end(os.Kill); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("it was not killed: %v", err)
	}
	for _, proxy := range proxies {
		proxy.Reset()
		proxy.Resume()
	}
}

func TestAConsumerThatIsKilledBetweenTwoStepsLosesAndDoublesNothing(t *testing.T) {
	broker := rabbit(t)
	t.Parallel()
	for _, c := range []struct {
		name     string
		point    string
		answers  []int  // of the downstream; the last one for all that follow
		silent   bool   // it does not answer the first request
		record   []byte // what Redis is not to get
		ack      []byte // what RabbitMQ is not to get
		requests int    // to the downstream in the end
		dead     bool
	}{
		{name: "while the downstream works", point: "work", answers: []int{200}, silent: true, requests: 2},
		{name: "between effect and record", point: "record", answers: []int{200}, record: toRecord, requests: 2},
		{name: "between record and ack", point: "ack", answers: []int{200}, ack: toAck, requests: 1},
		{name: "between the publish of a retry and the ack", point: "retry", answers: []int{503, 200}, ack: toAck, requests: 2},
		{name: "between the publish of a dead letter and the ack", point: "bury", answers: []int{422}, ack: toAck, requests: 2, dead: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			prefix := "killed-at-" + c.point
			q := publisher(t, broker, prefix)
			redis := servers.StartRedis(t)
			toRedis, toRabbit := servers.NewProxy(t, redis.Addr), servers.NewProxy(t, broker.Addr)
			d := &downstream{keys: map[string]int{}, answer: func(_ string, n int) int { return c.answers[min(n, len(c.answers))-1] }}
			down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				d.ServeHTTP(w, r)
				if c.silent && r.Header.Get("Idempotency-Key") == "evt" && d.times("evt") == 1 {
					<-r.Context().Done() // until the consumer is gone
				}
			}))
			t.Cleanup(down.Close)
			if c.record != nil {
				toRedis.HoldAt(c.record)
			}
			if c.ack != nil {
				toRabbit.HoldAt(c.ack)
			}
			publish(t, q, "evt")
			args := append([]string{"--forward", down.URL, "--prefix", prefix}, short...)
			killAt(t, func() bool {
				if c.silent {
					return d.times("evt") == 1
				}
				return toRedis.Held() || toRabbit.Held()
			}, []*servers.Proxy{toRedis, toRabbit}, append(args, "--queue", "amqp://"+toRabbit.Addr, "--inbox", "redis://"+toRedis.Addr)...)

			p := process(t, "quick", append(args, "--queue", broker.URL(), "--inbox", "redis://"+redis.Addr)...)
			publish(t, q, "next")
			eventually(t, "all is settled", func() bool {
				return waiting(t, broker, prefix) == 0 && d.times("evt") >= c.requests && d.times("next") >= len(c.answers)
			})
			if err := p.end(syscall.SIGTERM); err != nil { // hands back what it has
				t.Error(err)
			}
			if n := waiting(t, broker, prefix); n != 0 {
				t.Errorf("%d are left", n)
			}
			if n := d.times("evt"); n != c.requests {
				t.Errorf("it came %d times, want %d", n, c.requests)
			}
			letters := buried(t, q)
			for _, l := range letters {
				if l.Event.ID == "evt" && l.ID != letters[0].ID {
					t.Error("two letters of one event have two IDs, and would be two events")
				}
			}
			if c.dead != (len(letters) > 0) {
				t.Errorf("%d dead letters", len(letters))
			}
		})
	}
}

// database starts PostgreSQL with the tables of deploy/postgres, and returns the
// flags that write to it, at another address if there is one.
func database(t *testing.T) (db *servers.Postgres, flags func(addr string) []string, rows func(id string) int) {
	t.Helper()
	db, err := servers.NewPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	schema, err := os.ReadFile("../../deploy/postgres/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("postgres", string(schema)); err != nil {
		t.Fatal(err)
	}
	flags = func(addr string) []string {
		dsn := db.DSN("hookgate_consumer", "postgres")
		if addr != "" {
			dsn = strings.ReplaceAll(dsn, db.Addr, addr)
		}
		return []string{"--postgres", dsn, "--table", "hookgate.events"}
	}
	rows = func(id string) (n int) {
		t.Helper()
		conn, err := pgx.Connect(context.Background(), db.DSN("postgres", "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if err := conn.QueryRow(context.Background(), "select count(*) from hookgate.events where event_id like $1", id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	return db, flags, rows
}

func TestAConsumerThatIsKilledBetweenTwoStepsWritesARowOnce(t *testing.T) {
	broker := rabbit(t)
	t.Parallel()
	db, flags, rows := database(t)
	for _, c := range []struct {
		name   string
		point  string
		commit []byte // what PostgreSQL is not to get
		ack    []byte // what RabbitMQ is not to get
		before int    // rows when it is killed
	}{
		{name: "between insert and commit", point: "commit", commit: toCommit, before: 0},
		{name: "between commit and ack", point: "after", ack: toAck, before: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			prefix := "row-" + c.point
			q := publisher(t, broker, prefix)
			toPostgres, toRabbit := servers.NewProxy(t, db.Addr), servers.NewProxy(t, broker.Addr)
			if c.commit != nil {
				toPostgres.HoldAt(c.commit)
			}
			if c.ack != nil {
				toRabbit.HoldAt(c.ack)
			}
			publish(t, q, prefix)
			args := append([]string{"--prefix", prefix}, short...)
			killAt(t, func() bool { return toPostgres.Held() || toRabbit.Held() }, []*servers.Proxy{toPostgres, toRabbit},
				append(append(args, "--queue", "amqp://"+toRabbit.Addr), flags(toPostgres.Addr)...)...)
			if n := rows(prefix); n != c.before {
				t.Errorf("%d rows when it is killed, want %d", n, c.before)
			}
			p := process(t, "quick", append(append(args, "--queue", broker.URL()), flags("")...)...)
			publish(t, q, prefix+"-next")
			eventually(t, "all is settled", func() bool { return waiting(t, broker, prefix) == 0 && rows(prefix+"-next") == 1 && rows(prefix) == 1 })
			if err := p.end(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if left, dead := waiting(t, broker, prefix), dead(t, q); rows(prefix) != 1 || left != 0 || dead != 0 {
				t.Errorf("%d rows, %d left, %d dead letters", rows(prefix), left, dead)
			}
		})
	}
}
