package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// shared is the broker of all tests here. Each has exchanges and queues of its
// own in it, by a prefix.
var shared = sync.OnceValues(func() (*servers.RabbitMQ, error) {
	dir, err := os.MkdirTemp("", "rabbitmq")
	if err != nil {
		return nil, err
	}
	return servers.NewRabbitMQ(dir)
})

func TestMain(m *testing.M) {
	started := false
	broker = func(t testing.TB) *servers.RabbitMQ {
		t.Helper()
		started = true
		r, err := shared()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	code := m.Run()
	if started {
		if r, err := shared(); err == nil {
			r.Close()
			_ = os.RemoveAll(r.Dir())
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

// broker returns the shared broker.
var broker func(t testing.TB) *servers.RabbitMQ

var prefixes = make(chan int, 1)

func init() { prefixes <- 0 }

// prefix returns one that no other test has.
func prefix(t testing.TB) string {
	t.Helper()
	n := <-prefixes
	prefixes <- n + 1
	return fmt.Sprintf("t%d", n)
}

// open starts a queue on an address, waits until it can be used, and closes it
// at the end of the test.
func open(t testing.TB, addr string, change ...func(*Options)) *Queue {
	t.Helper()
	q := begin(t, addr, change...)
	eventually(t, "the queue is ready", func() bool { return q.Ready() == nil })
	eventually(t, "all lanes are open", func() bool { return len(*q.lanes.Load()) == q.opts.Connections*q.opts.Channels })
	return q
}

// begin is open without the wait.
func begin(t testing.TB, addr string, change ...func(*Options)) *Queue {
	t.Helper()
	opts := Options{Servers: []Server{{Addr: addr, Host: "localhost"}}, Prefix: prefix(t)}
	for _, c := range change {
		c(&opts)
	}
	q, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := q.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return q
}

// logged keeps what a queue logs.
func logged() (func(*Options), *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return func(o *Options) { o.Logger = zap.New(core) }, logs
}

// eventually polls, for as long as the promise of a normal service after a
// fault allows, and some more for a loaded machine.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// sample returns an event.
func sample(id string) *hook.Event {
	return &hook.Event{
		ID: id, Hook: "pe-action-map", RoutingKey: "pe.action.map", Contract: "pe-action-map/1",
		ContentType: "application/json", Body: []byte(`{"webhookEventId":"` + id + `"}`),
		Fingerprint: hook.Fingerprint{1, 2, 3}, ReceivedAt: time.Date(2026, 5, 14, 18, 32, 11, 450_000_000, time.UTC),
		ClientIP: netip.MustParseAddr("192.0.2.7"),
		Header:   map[string]string{hook.HeaderTraceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
}

// publish publishes within half a second.
func publish(q *Queue, ev *hook.Event) error {
	ctx, cancel := context.WithTimeout(context.Background(), 480*time.Millisecond)
	defer cancel()
	_, err := q.Publish(ctx, ev)
	return err
}

// mustPublish publishes until it succeeds: a test may stand on a loaded
// machine.
func mustPublish(t testing.TB, q *Queue, ev *hook.Event) {
	t.Helper()
	var err error
	eventually(t, "an event is taken", func() bool {
		err = publish(q, ev)
		return err == nil
	})
}

func isInDoubt(err error) (*hook.InDoubt, bool) { return errors.AsType[*hook.InDoubt](err) }

// connect makes a connection of the test's own.
func connect(t testing.TB) *amqp.Connection {
	t.Helper()
	c, err := amqp.Dial(broker(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// client is a channel of the test's own.
func client(t testing.TB) *amqp.Channel {
	t.Helper()
	ch, err := connect(t).Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// atLeast reports whether the broker has this version or a later one.
func atLeast(t testing.TB, major, minor int) bool {
	t.Helper()
	version, _ := connect(t).Properties["version"].(string)
	var x, y int
	if _, err := fmt.Sscanf(version, "%d.%d", &x, &y); err != nil {
		t.Fatalf("version %q: %v", version, err)
	}
	return x > major || x == major && y >= minor
}

// drain takes everything out of a queue, by message ID.
func drain(t testing.TB, queue string) map[string]amqp.Delivery {
	t.Helper()
	ch := client(t)
	all := make(map[string]amqp.Delivery)
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all[d.MessageId] = d
	}
}

type amqpError = amqp.Error
