package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// shared is the server of all tests here. Each has a database of its own in it.
var (
	shared    = sync.OnceValues(servers.NewPostgres)
	started   atomic.Bool
	databases atomic.Int64
)

func TestMain(m *testing.M) {
	code := m.Run()
	if started.Load() {
		if s, err := shared(); err == nil {
			s.Close()
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// role is that of deploy/postgres/schema.sql, under which everything is tested.
const (
	role  = "hookgate_consumer"
	table = "hookgate.events"
)

// database is one with the tables of deploy/postgres/schema.sql.
type database struct {
	*servers.Postgres
	t    testing.TB
	name string
}

func newDatabase(t testing.TB) *database {
	t.Helper()
	started.Store(true)
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	d := &database{s, t, fmt.Sprintf("test%d", databases.Add(1))}
	schema, err := os.ReadFile("../../deploy/postgres/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Exec("postgres", "create database "+d.name); err != nil {
		t.Fatal(err)
	}
	d.do(string(schema))
	d.do(string(schema)) // it may be run again
	return d
}

// do runs statements as the user who may do everything.
func (d *database) do(sql string) {
	d.t.Helper()
	if err := d.Exec(d.name, sql); err != nil {
		d.t.Fatal(err)
	}
}

// connect returns a connection of the user who may do everything.
func (d *database) connect() *pgx.Conn {
	d.t.Helper()
	conn, err := pgx.Connect(context.Background(), d.DSN("postgres", d.name))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// number returns what a query does.
func (d *database) number(sql string) (n int) {
	d.t.Helper()
	conn := d.connect()
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), sql).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	return n
}

// holds checks how many events and records there are.
func (d *database) holds(events, records int) {
	d.t.Helper()
	if n := d.number("select count(*) from hookgate.events"); n != events {
		d.t.Errorf("%d events, want %d", n, events)
	}
	if n := d.number("select count(*) from hookgate.hookgate_inbox"); n != records {
		d.t.Errorf("%d records, want %d", n, records)
	}
}

// hold locks the table of events, until it is called again.
func (d *database) hold() (release func()) {
	d.t.Helper()
	conn := d.connect()
	if _, err := conn.Exec(context.Background(), "begin; lock table hookgate.events in access exclusive mode"); err != nil {
		d.t.Fatal(err)
	}
	return func() { _ = conn.Close(context.Background()) }
}

const ofHandler = " from pg_stat_activity where usename = '" + role + "' and datname = current_database()"

// held waits until n connections of handlers wait for a lock.
func (d *database) held(n int) {
	d.t.Helper()
	eventually(d.t, "a handler waits for a lock", func() bool {
		return d.number("select count(*)"+ofHandler+" and wait_event_type = 'Lock'") == n
	})
}

// sever ends the connections of handlers at the server.
func (d *database) sever() { d.do("select pg_terminate_backend(pid)" + ofHandler) }

// open starts a handler that is closed at the end of the test.
func (d *database) open(change ...func(*Options)) *Handler {
	d.t.Helper()
	opts := Options{Table: table, DSN: func() (string, error) { return d.DSN(role, d.name), nil }}
	for _, c := range change {
		c(&opts)
	}
	h, err := New(opts)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := h.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			d.t.Error(err)
		}
	})
	return h
}

func sample(id string) *hook.Event {
	return &hook.Event{
		ID: id, Hook: "pe-action-map", ContentType: "application/json",
		Body: []byte(`{"contactNumber":"+49 170 0000000"}`), Fingerprint: hook.Fingerprint{1, 2, 3},
		ReceivedAt: time.Date(2026, 5, 14, 18, 32, 11, 450_000_000, time.UTC), Attempt: 2, Replay: 1,
	}
}

// claim returns the claim of a consumer on an event.
func claim(ev *hook.Event) hook.Claim {
	return hook.Claim{
		Key: hook.InboxKey(ev.Hook, ev.ID, ev.Replay), Token: hook.NewToken(), Fingerprint: ev.Fingerprint,
		Lease: 30 * time.Second, TTL: 720 * time.Hour,
	}
}

// once delivers an event.
func once(h *Handler, ev *hook.Event) (hook.State, hook.Fingerprint, error) {
	return h.HandleOnce(context.Background(), claim(ev), ev)
}

// must delivers an event and checks what comes of it.
func must(t testing.TB, h *Handler, ev *hook.Event, want hook.State) {
	t.Helper()
	if state, fp, err := once(h, ev); err != nil || state != want || fp != ev.Fingerprint {
		t.Fatalf("%v %v %v, want %v", state, fp, err, want)
	}
}

// fails checks that an error is a fault of a kind, whose text holds some words
// and nothing of the event.
func fails(t testing.TB, err error, kind hook.Kind, words ...string) {
	t.Helper()
	f, ok := errors.AsType[*hook.Fault](err)
	if !ok || f.Kind != kind {
		t.Fatalf("%v, want a %s fault", err, kind)
	}
	text := f.Error() + fmt.Sprint(f.Err)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not hold %q", text, w)
		}
	}
	for _, secret := range []string{"0000000", "conv-1", "hunter2", role, "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q holds %q", text, secret)
		}
	}
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
