package outage

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/integration/servers"
)

// rabbitUser is the default user of a broker, whose password is its name.
const rabbitUser = "guest"

var prefixes atomic.Int64

// newPrefix returns a prefix for exchanges and queues that no other test has.
func newPrefix() string { return fmt.Sprintf("t%d", prefixes.Add(1)) }

// channel opens a channel of the test's own, on a virtual host.
func channel(t *testing.T, vhost string) *amqp.Channel {
	t.Helper()
	return channelTo(t, broker, vhost)
}

// channelTo is channel, to another broker.
func channelTo(t *testing.T, r *servers.RabbitMQ, vhost string) *amqp.Channel {
	t.Helper()
	c, err := amqp.DialConfig(r.URL(), amqp.Config{Vhost: vhost})
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

// drain takes everything out of a queue, by message ID.
func drain(t *testing.T, vhost, queue string) map[string][]amqp.Delivery {
	t.Helper()
	return take(t, channel(t, vhost), queue)
}

// take is drain, on a channel.
func take(t *testing.T, ch *amqp.Channel, queue string) map[string][]amqp.Delivery {
	t.Helper()
	all := make(map[string][]amqp.Delivery)
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all[d.MessageId] = append(all[d.MessageId], d)
	}
}

// connections returns the process IDs that the broker gave the connections of
// the program.
func connections(t *testing.T) map[string]bool {
	t.Helper()
	pids := make(map[string]bool)
	for line := range strings.Lines(broker.Ctl(t, "list_connections", "pid", "client_properties")) {
		if pid, properties, _ := strings.Cut(line, "\t"); strings.Contains(properties, "Hookgate") {
			pids[pid] = true
		}
	}
	return pids
}
