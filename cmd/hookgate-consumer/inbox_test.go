package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An inbox in PostgreSQL drops copies over a crash of the server, and a password
// that is mended is used at once.
func TestAnInboxInPostgreSQLForgetsNothing(t *testing.T) {
	broker := rabbit(t)
	db, _, _ := database(t)
	d := &downstream{keys: map[string]int{}, answer: always(http.StatusNoContent)}
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)

	file := filepath.Join(t.TempDir(), "inbox")
	write := func(user string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(db.DSN(user, "postgres")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("nobody")
	q := publisher(t, broker, "pginbox")
	out, end := begin(t, map[string]string{"HOOKGATE_QUEUE": broker.URL(), "HOOKGATE_INBOX": "@" + file},
		"--forward", down.URL, "--metrics", "127.0.0.1:0", "--retry", "1s", "--prefix", "pginbox")
	const answering = "answering /metrics, /healthz and /readyz"
	eventually(t, "it answers", func() bool { return out.field(answering, "address") != "" })
	ready := func() (string, bool) {
		code, text := get(t, "http://"+out.field(answering, "address")+"/readyz")
		return text, code == http.StatusOK
	}
	eventually(t, "it says why it is not ready", func() bool { text, ok := ready(); return !ok && strings.Contains(text, "28000") })
	write("hookgate_consumer")
	eventually(t, "it is ready", func() bool { _, ok := ready(); return ok })

	const events = 20
	for i := range events {
		publish(t, q, fmt.Sprint("pg-", i))
	}
	eventually(t, "all are sent", func() bool { return d.got() == events })
	db.Kill()
	eventually(t, "it is not ready without an inbox", func() bool { text, ok := ready(); return !ok && strings.Contains(text, "inbox") })
	for i := range events {
		publish(t, q, fmt.Sprint("pg-", i)) // copies
	}
	publish(t, q, "pg-last")
	if err := db.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last one is sent", func() bool { return d.times("pg-last") == 1 })
	eventually(t, "the queue is empty", func() bool { n, err := q.Counts(t.Context()); return err == nil && n.Ready == 0 })
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for i := range events {
		if n := d.times(fmt.Sprint("pg-", i)); n != 1 {
			t.Errorf("event %d was sent %d times", i, n)
		}
	}
}
