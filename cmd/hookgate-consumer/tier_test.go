package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/integration/servers"
)

func TestARetryTierThatIsMissingCostsNoEvent(t *testing.T) {
	broker := rabbit(t)
	t.Parallel()
	for _, topology := range []string{"declare", "passive"} {
		t.Run(topology, func(t *testing.T) {
			t.Parallel()
			prefix := "tier-" + topology
			q, redis := publisher(t, broker, prefix), servers.StartRedis(t)
			d := newDownstream()
			d.answer = func(_ string, n int) int { // each fails once
				if n == 1 {
					return http.StatusServiceUnavailable
				}
				return http.StatusOK
			}
			down := httptest.NewServer(d)
			t.Cleanup(down.Close)
			args := append([]string{"--queue", broker.URL(), "--inbox", "redis://" + redis.Addr, "--forward", down.URL, "--prefix", prefix}, short...)
			if topology == "passive" { // somebody has made it, and not all of it
				out, end := begin(t, nil, args...)
				eventually(t, "the tiers are there", func() bool { return out.count("RabbitMQ can be used") > 0 })
				end()
				deleteQueue(t, broker, prefix+".retry.1s")
			}
			out, _ := begin(t, nil, append(args, "--topology", topology)...)
			eventually(t, "it consumes", func() bool { return out.count("RabbitMQ can be used") > 0 })
			const events = 8
			for i := range events / 2 { // fewer in a row than make an outage
				publish(t, q, string(rune('a'+i)))
			}
			eventually(t, "the first have come", func() bool { return d.got() == events/2 && d.again() == events/2 })
			deleteQueue(t, broker, prefix+".retry.1s") // once more, while it runs
			for i := range events / 2 {
				publish(t, q, string(rune('A'+i)))
			}
			eventually(t, "all have come twice", func() bool { return d.got() == events && d.again() == events })
			eventually(t, "nothing is left", func() bool { return topology == "passive" || waiting(t, broker, prefix) == 0 })
			if n := dead(t, q); n != 0 {
				t.Errorf("%d dead letters", n)
			}
			if topology == "passive" && out.count("a retry tier takes no events; another was used") == 0 {
				t.Error("the log does not say what is missing")
			}
		})
	}
}

// deleteQueue deletes a queue, if it is there.
func deleteQueue(t *testing.T, broker *servers.RabbitMQ, name string) {
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
	if _, err := ch.QueueDelete(name, false, false, false); err != nil {
		t.Fatal(err)
	}
}
