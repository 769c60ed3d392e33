package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookgate/hookgate/hook"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		child(path)
		return
	}
	goleak.VerifyTestMain(m)
}

// clock is a clock that the test sets.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ms.Store(time.Date(2026, 5, 14, 18, 32, 11, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) now() time.Time           { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(by time.Duration) { c.ms.Add(by.Milliseconds()) }

func tempFile(t testing.TB) string { return filepath.Join(t.TempDir(), "data", "hookgate.db") }

// unstarted returns a DB that prepare may change before Start.
func unstarted(t testing.TB, opts Options) *DB {
	t.Helper()
	if opts.Path == "" {
		opts.Path = tempFile(t)
	}
	d, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func started(t testing.TB, opts Options) *DB {
	t.Helper()
	d := unstarted(t, opts)
	begin(t, d)
	return d
}

func begin(t testing.TB, d *DB) {
	t.Helper()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, d) })
}

func stop(t testing.TB, d *DB) {
	t.Helper()
	if err := d.Close(t.Context()); err != nil && t.Context().Err() == nil {
		t.Error(err)
	}
	<-d.stopped
	if d.closeErr != nil {
		t.Error(d.closeErr)
	}
}

func event(id string) *hook.Event {
	return &hook.Event{
		ID: id, Hook: "h", RoutingKey: "h", ContentType: "application/json",
		Body: []byte(`{"id":"` + id + `"}`), ReceivedAt: time.Date(2026, 5, 14, 18, 32, 11, 450, time.UTC),
	}
}

// claimOn returns a claim with a token and fingerprint made of the bytes.
func claimOn(key string, token, fp byte) hook.Claim {
	return hook.Claim{
		Key: key, Token: hook.Token{token}, Fingerprint: hook.Fingerprint{fp},
		Lease: 2 * time.Second, TTL: 48 * time.Hour,
	}
}

// failer is what a test and a check of rapid have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// eventually polls until ok.
func eventually(t failer, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// ids returns the IDs in a queue, by how often they are there.
func ids(t testing.TB, d *DB, s hook.QueueState) map[string]int {
	t.Helper()
	entries, err := d.Peek(t.Context(), s, 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range entries {
		seen[e.Event.ID]++
	}
	return seen
}

func accepted(t testing.TB, d *DB, id string) {
	t.Helper()
	s, _, err := d.Accept(t.Context(), claimOn(hook.EventKey("h", id), 1, 1), event(id), nil)
	if err != nil || s != hook.Ours {
		t.Fatal(fmt.Sprint("accept: ", s, err))
	}
}
