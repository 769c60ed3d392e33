package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// What every RabbitMQ must do: the one that the tests start, and one of another
// version that somebody else runs, where there is one.
func TestEveryRabbitMQKeepsThePromise(t *testing.T) {
	urls := map[string]string{"that of the tests": broker(t).URL()}
	if url, ok := servers.ExternalAMQP(); ok {
		urls["that of HOOKGATE_TEST_AMQP_URL"] = url
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) { conforms(t, url) })
	}
}

func conforms(t *testing.T, url string) {
	ends, err := ParseURLs(url)
	if err != nil {
		t.Fatal(err)
	}
	options := func(o *Options) {
		o.Servers, o.Vhost, o.Prefix = ends.Servers, ends.Vhost, "hookgate-test-"+newID()
		o.Credentials = func(context.Context) (Credentials, error) { return ends.Credentials, nil }
		if ends.TLS {
			o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	ch := externalChannel(t, ends)
	var q *Queue
	t.Cleanup(func() { remove(t, ch, q) }) // after the queue is closed
	q = open(t, ends.Servers[0].Addr, options)
	crm, tasks := q.opts.Prefix+".crm", q.opts.Prefix+".tasks"
	defer q.Expect(crm, false)()
	defer q.Expect(tasks, true)()

	// Publish, in all three ways, and park.
	mustPublish(t, q, sample("plain"))
	own := sample("own")
	own.Queue = crm
	mustPublish(t, q, own)
	called := sample("called")
	called.Queue, called.Task = tasks, "app.tasks.take"
	mustPublish(t, q, called)
	park(t, q, sample("parked"))
	count(t, q, hook.Counts{Ready: 3, Dead: 1})

	// A look takes nothing away.
	for state, want := range map[hook.QueueState]string{hook.StateReady: "plain", hook.StateDead: "parked"} {
		entries, err := q.Peek(t.Context(), state, 0, 10)
		if err != nil || len(entries) != 1 || entries[0].Event.ID != want {
			t.Errorf("%s: %v, %v", state, ids(entries), err)
		}
	}
	count(t, q, hook.Counts{Ready: 3, Dead: 1})

	// What no queue gets is refused, and the binding is made anew.
	if err := ch.QueueUnbind(q.routes.names.EventsIn, "#", q.routes.names.Events, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := q.Publish(ctx, sample("unroutable")); !errors.Is(err, hook.ErrRefused) {
		t.Errorf("without a binding: %v", err)
	}
	mustPublish(t, q, sample("after"))
	count(t, q, hook.Counts{Ready: 4, Dead: 1})

	// What its consumer crashes on becomes a dead letter.
	consumed := 0
	eventually(t, "all crashing events were given up", func() bool {
		d, ok, err := ch.Get(q.routes.names.EventsIn, false)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			consumed++
			_ = d.Reject(true)
		}
		return !ok && consumed > 2
	})
	count(t, q, hook.Counts{Ready: 2, Dead: 3})
	if s := q.Stats(); s.Failures != 0 || s.Channels != 0 {
		t.Errorf("%+v", s)
	}
}

// externalChannel is a channel of the test's own.
func externalChannel(t *testing.T, ends Endpoints) *amqp.Channel {
	t.Helper()
	cfg := amqp.Config{
		SASL:  []amqp.Authentication{&amqp.PlainAuth{Username: ends.Credentials.Username, Password: ends.Credentials.Password}},
		Vhost: ends.Vhost,
		Dial:  func(_, addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, 10*time.Second) },
	}
	url := "amqp://" + ends.Servers[0].Addr
	if ends.TLS {
		url = "amqps://" + ends.Servers[0].Addr
		cfg.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: ends.Servers[0].Host}
	}
	c, err := amqp.DialConfig(url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// remove leaves nothing behind at somebody else's.
func remove(t *testing.T, ch *amqp.Channel, q *Queue) {
	if q == nil {
		return
	}
	n := q.routes.names
	for _, queue := range []string{n.EventsIn, n.Dead, n.Events + ".crm", n.Events + ".tasks"} {
		if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
			t.Error(fmt.Errorf("removing the queue %s: %w", queue, err))
		}
	}
	for _, exchange := range []string{n.Events, n.DeadLetter, n.Direct, n.Celery} {
		if err := ch.ExchangeDelete(exchange, false, false); err != nil {
			t.Error(fmt.Errorf("removing the exchange %s: %w", exchange, err))
		}
	}
}
