package app

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// openRabbitMQ provisions and opens a queue, without starting it.
func openRabbitMQ(t *testing.T, s RabbitMQQueue) (hook.Queue, Handle) {
	t.Helper()
	if err := s.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	queue, h, err := s.OpenQueue(Env{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Release(); err != nil {
			t.Error(err)
		}
	})
	return queue, h
}

// patiently is eventually for a server that makes clients with a wrong password
// wait, and clients that wait from one attempt to the next.
func patiently(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestEqualSettingsShareARabbitMQQueue(t *testing.T) {
	t.Setenv("RABBIT_TEST_PASSWORD", "x")
	t.Setenv("RABBIT_TEST_HOST", "127.0.0.1:1")
	// Nothing listens there, which nobody finds out.
	base := RabbitMQQueue{URLs: []string{"amqp://{env.RABBIT_TEST_HOST}/v"}, Password: "{env.RABBIT_TEST_PASSWORD}"}
	first, _ := openRabbitMQ(t, base)
	if again, _ := openRabbitMQ(t, base); again != first {
		t.Error("equal settings do not share")
	}
	t.Setenv("RABBIT_TEST_PASSWORD", "y")
	if again, _ := openRabbitMQ(t, base); again != first {
		t.Error("with a changed password, which is read again anyway, they do not share")
	}
	change := func(fn func(*RabbitMQQueue)) RabbitMQQueue {
		s := base
		fn(&s)
		return s
	}
	for name, other := range map[string]RabbitMQQueue{
		"another address":      change(func(s *RabbitMQQueue) { s.URLs = []string{"amqp://127.0.0.1:2/v"} }),
		"one more":             change(func(s *RabbitMQQueue) { s.URLs = append(s.URLs, "amqp://127.0.0.1:2/v") }),
		"another virtual host": change(func(s *RabbitMQQueue) { s.URLs = []string{"amqp://{env.RABBIT_TEST_HOST}/w"} }),
		"TLS by the scheme":    change(func(s *RabbitMQQueue) { s.URLs = []string{"amqps://{env.RABBIT_TEST_HOST}/v"} }),
		"another user":         change(func(s *RabbitMQQueue) { s.Username = "u" }),
		"another password":     change(func(s *RabbitMQQueue) { s.Password += "2" }),
		"no password":          change(func(s *RabbitMQQueue) { s.Password = "" }),
		"another prefix":       change(func(s *RabbitMQQueue) { s.Prefix = "p" }),
		"another topology":     change(func(s *RabbitMQQueue) { s.Topology = "passive" }),
		"TLS":                  change(func(s *RabbitMQQueue) { s.TLS = new(TLS) }),
		"a server's name":      change(func(s *RabbitMQQueue) { s.TLS = &TLS{ServerName: "n"} }),
	} {
		if queue, _ := openRabbitMQ(t, other); queue == first {
			t.Errorf("%s: shared", name)
		}
	}
	t.Setenv("RABBIT_TEST_HOST", "127.0.0.1:3")
	if queue, _ := openRabbitMQ(t, base); queue == first {
		t.Error("another address behind the same placeholder: shared")
	}
}

func TestRabbitMQSettingsThatAreRefused(t *testing.T) {
	t.Setenv("RABBIT_TEST_URL", "amqp://u:hunter2@a:1/v")
	none := filepath.Join(t.TempDir(), "none")
	for name, s := range map[string]RabbitMQQueue{
		"no URL":                   {},
		"a literal password":       {URLs: []string{"amqp://a"}, Password: "hunter2"},
		"a literal one in the URL": {URLs: []string{"amqp://u:hunter2@{env.RABBIT_TEST_URL}"}},
		"a URL that is not set":    {URLs: []string{"{env.RABBIT_TEST_UNSET}"}},
		"a password not set":       {URLs: []string{"amqp://a"}, Password: "{env.RABBIT_TEST_UNSET}"},
		"two passwords":            {URLs: []string{"{env.RABBIT_TEST_URL}"}, Password: "{env.RABBIT_TEST_URL}"},
		"two users":                {URLs: []string{"{env.RABBIT_TEST_URL}"}, Username: "v"},
		"two virtual hosts":        {URLs: []string{"{env.RABBIT_TEST_URL}", "amqp://u:{env.RABBIT_TEST_URL}@b/w"}},
		"another scheme":           {URLs: []string{"redis://a"}},
		"an unknown topology":      {URLs: []string{"amqp://a"}, Topology: "none"},
		"a prefix with a slash":    {URLs: []string{"amqp://a"}, Prefix: "a/b"},
		"a prefix that is not set": {URLs: []string{"amqp://a"}, Prefix: "{env.RABBIT_TEST_UNSET}"},
		"no authorities":           {URLs: []string{"amqp://a"}, TLS: &TLS{CA: none}},
		"no certificate":           {URLs: []string{"amqp://a"}, TLS: &TLS{Certificate: none, Key: none}},
		"no key":                   {URLs: []string{"amqp://a"}, TLS: &TLS{Certificate: none}},
	} {
		if err := s.Provision(caddy.Context{}); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheRabbitMQUserIsGuestWhereNoneIsNamed(t *testing.T) {
	t.Setenv("RABBIT_TEST_PASSWORD", "p/w%")
	for name, test := range map[string]struct {
		settings       RabbitMQQueue
		user, password string
	}{
		"nothing":             {RabbitMQQueue{URLs: []string{"amqp://a"}}, "guest", "guest"},
		"a password alone":    {RabbitMQQueue{URLs: []string{"amqp://a"}, Password: "{env.RABBIT_TEST_PASSWORD}"}, "guest", "p/w%"},
		"a user alone":        {RabbitMQQueue{URLs: []string{"amqp://a"}, Username: "edge"}, "edge", ""},
		"a user in the URL":   {RabbitMQQueue{URLs: []string{"amqp://edge@a"}, Password: "{env.RABBIT_TEST_PASSWORD}"}, "edge", "p/w%"},
		"both in their place": {RabbitMQQueue{URLs: []string{"amqp://a"}, Username: "edge", Password: "{env.RABBIT_TEST_PASSWORD}"}, "edge", "p/w%"},
	} {
		_, creds, err := test.settings.resolve()
		if err != nil || creds.Username != test.user || creds.Password != test.password {
			t.Errorf("%s: %q, %v", name, creds, err)
		}
	}
}

func TestRabbitMQOnARealServer(t *testing.T) {
	r, err := servers.NewRabbitMQ(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if n := rabbitMetrics(t); n != 0 {
		t.Errorf("%d metrics of nothing", n)
	}
	t.Run("a password file is read for each connection", func(t *testing.T) { rabbitPasswordFile(t, r) })
	t.Run("with TLS", func(t *testing.T) { rabbitTLS(t, r) })
	t.Run("a queue that a hook names", func(t *testing.T) {
		queue, h := openRabbitMQ(t, RabbitMQQueue{URLs: []string{"amqp://" + r.Addr}, Prefix: "named"})
		h.(Router).Expect("named.crm", false)
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		ev := &hook.Event{ID: "evt_1", Hook: "h", Queue: "named.crm", Body: []byte("{}")}
		patiently(t, "an event is taken", func() bool { return publishEvent(t, queue, ev) == nil })
		if n := rabbitMetrics(t); n != 11 {
			t.Errorf("%d metrics", n)
		}
	})
}

func publishEvent(t *testing.T, q hook.Queue, ev *hook.Event) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := q.Publish(ctx, ev)
	return err
}

func rabbitPasswordFile(t *testing.T, r *servers.RabbitMQ) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.Ctl(t, "add_user", "edge", "one")
	r.Ctl(t, "set_permissions", "edge", ".*", ".*", ".*")
	write("one")
	in, hIn := openRabbitMQ(t, RabbitMQQueue{URLs: []string{"amqp://" + r.Addr}, Username: "edge", Password: "{file." + file + "}"})
	url, hURL := openRabbitMQ(t, RabbitMQQueue{URLs: []string{"amqp://edge:{file." + file + "}@" + r.Addr}})
	if in == url {
		t.Fatal("the settings are equal")
	}
	queues := map[string]hook.Queue{"in its place": in, "in the URL": url}
	for _, h := range []Handle{hIn, hURL} {
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for name, q := range queues {
		patiently(t, name+": ready", func() bool { return q.Ready() == nil })
	}
	r.Ctl(t, "change_password", "edge", "two")
	r.Ctl(t, "close_all_connections", "the password has changed")
	for name, q := range queues {
		patiently(t, name+": the old password is refused", func() bool {
			err := q.Ready()
			return err != nil && strings.Contains(err.Error(), "user or password refused")
		})
	}
	write("two")
	for name, q := range queues {
		patiently(t, name+": the new password is used", func() bool { return q.Ready() == nil })
	}
}

func rabbitTLS(t *testing.T, r *servers.RabbitMQ) {
	dir := t.TempDir()
	certificates(t, dir)
	path := func(name string) string { return filepath.Join(dir, name) }
	addr := terminateTLS(t, path("cert.pem"), path("key.pem"), r.Addr)
	whole := TLS{CA: path("ca.pem"), ServerName: "redis.test"}
	queue, h := openRabbitMQ(t, RabbitMQQueue{URLs: []string{"amqps://" + addr}, TLS: &whole})
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	ev := &hook.Event{ID: "evt_1", Hook: "h", Body: []byte("{}")}
	patiently(t, "an event is taken", func() bool { return publishEvent(t, queue, ev) == nil })
	for name, test := range map[string]struct {
		change func(*TLS)
		want   string
	}{
		"an unknown authority": {func(s *TLS) { s.CA = "" }, "unknown authority"},
		"another name":         {func(s *TLS) { s.ServerName = "other.test" }, "other.test"},
		"the host's name":      {func(s *TLS) { s.ServerName = "" }, "127.0.0.1"},
	} {
		s := whole
		test.change(&s)
		queue, h := openRabbitMQ(t, RabbitMQQueue{URLs: []string{"amqp://" + addr}, TLS: &s})
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		patiently(t, name+" is refused", func() bool {
			err := queue.Ready()
			return err != nil && strings.Contains(err.Error(), "TLS:") && strings.Contains(err.Error(), test.want)
		})
	}
}

// terminateTLS listens with a certificate, and passes on to a server without.
func terminateTLS(t *testing.T, cert, key, target string) (addr string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { pass(client, target) })
		}
	})
	return l.Addr().String()
}

// pass copies both ways until either end is closed.
func pass(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	both.Wait()
}

// rabbitMetrics returns how many metrics there are of the open queues.
func rabbitMetrics(t *testing.T) (n int) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(new(rabbitCollector)); err != nil {
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
