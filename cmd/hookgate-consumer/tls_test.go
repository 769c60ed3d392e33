package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/servers"
)

// Queue and inbox are reached over TLS, with certificates of an authority that
// --ca names. Without it neither is used, and the log says so.
func TestQueueAndInboxOverTLS(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	authority, err := servers.NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	overTLS, undo, err := servers.ListenTLS(dir, authority, servers.Certificate{File: path("rabbitmq.pem"), Key: path("rabbitmq.key")})
	if err != nil {
		t.Fatal(err)
	}
	broker, err := servers.NewRabbitMQ(t.TempDir())
	undo()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	shown := servers.Certificate{File: path("redis.pem"), Key: path("redis.key")}
	if err := authority.Issue(shown, "localhost"); err != nil {
		t.Fatal(err)
	}
	port := servers.FreePort(t)
	redis := servers.StartRedis(t, "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-ca-cert-file", authority.File, "--tls-cert-file", shown.File, "--tls-key-file", shown.Key)
	q, made := publisher(t, broker, "tls"), time.Now()
	publishAll(t, q, "e", 100)
	d := newDownstream()
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	args := append([]string{
		"--queue", "amqps://guest:guest@" + overTLS, "--inbox", "rediss://localhost:" + port, "--forward", down.URL, "--prefix", "tls", "--metrics", "127.0.0.1:0",
	}, short...)

	out, end := begin(t, nil, args...)
	const unknown = "certificate signed by unknown authority"
	eventually(t, "the log says why the queue is not used", func() bool {
		return strings.Contains(out.field("RabbitMQ cannot be used", "error"), unknown)
	})
	base := "http://" + out.field("answering /metrics, /healthz and /readyz", "address")
	eventually(t, "the log says why the inbox is not used", func() bool {
		return out.field("redis store cannot be used", "error") != ""
	})
	if status, text := get(t, base+"/readyz"); status == http.StatusOK || !strings.Contains(text, unknown) {
		t.Errorf("readiness: %d %s", status, text)
	}
	end()
	if n := d.got(); n != 0 {
		t.Errorf("%d events came", n)
	}

	begin(t, nil, append(args, "--ca", authority.File)...)
	eventually(t, "all have come", func() bool { return d.got() == 100 })
	publishAll(t, q, "killed", 100)
	eventually(t, "the queue is old enough to come back", func() bool { return time.Since(made) > 6*time.Second })
	redis.Kill()
	broker.Kill()
	redis.Restart()
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all have come after the servers came back", func() bool { return d.got() == 200 })
	if n, err := q.Counts(context.Background()); err != nil || n.Dead != 0 {
		t.Errorf("%+v %v", n, err)
	}
}
