package outage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// patiently is for a load on a patient hook whose time is not tested, and which
// may lose a connection to a reload.
func patiently(l *load) {
	l.bound = time.Minute
	l.tolerant = true
}

func TestAReloadUnderLoadKeepsTheConnectionsWhereTheSettingsAreEqual(t *testing.T) {
	redis := startRedis(t)
	s := setup{redis: redis.Addr, rabbit: broker.Addr, prefix: newPrefix(), hooks: patient}
	s.rabbitSecret, s.redisPassword = secretFile(t, rabbitUser), secretFile(t, redisPassword)
	e := start(t, s)
	l := startLoad(t, e, hookPath, "equal", patiently)
	edge.Eventually(t, time.Minute, "events are taken", func() bool { return l.seen("accepted") > 300 })
	toRabbit, toRedis := connections(t), clients(redis)
	if len(toRabbit) != 2 || len(toRedis) < 3 {
		t.Fatalf("connections to RabbitMQ %v, to Redis %v", toRabbit, toRedis)
	}
	for n := range 10 {
		s.hooks = strings.Replace(patient, "5s", fmt.Sprintf("%ds", 10+n), 1)
		before := l.seen("accepted")
		if err := e.Reload(s.caddyfile(t)); err != nil {
			t.Fatal(err)
		}
		edge.Eventually(t, time.Minute, "events are taken", func() bool { return l.seen("accepted") > before+50 })
	}
	l.settle()
	if after := connections(t); !sameKeys(toRabbit, after) {
		t.Errorf("connections to RabbitMQ were %v, and are %v", toRabbit, after)
	}
	after := clients(redis)
	for id := range toRedis {
		if !after[id] {
			t.Errorf("the connection %s to Redis is gone", id)
		}
	}
	for _, name := range []string{"hookgate_rabbitmq_connection_failures_total", "hookgate_rabbitmq_channels_lost_total"} {
		if n := metric(t, e, name); n != 0 {
			t.Errorf("%s is %v", name, n)
		}
	}
	if n := l.troubled(); n != l.seen("none") {
		t.Errorf("%d answers were bad", n)
	}
	l.checkQueues(s.prefix + ".events")
}

func TestAReloadUnderLoadThatChangesTheSettingsLosesNothing(t *testing.T) {
	redis := startRedis(t)
	redis.Do("acl", "setuser", redisUser, ">another") // beside the other
	proxy := servers.NewProxy(t, broker.Addr)
	s := setup{redis: redis.Addr, rabbit: proxy.Addr, hooks: patient}
	var queues []string
	var e *edge.Edge
	var l *load
	for n := range 6 {
		// Another exchange, another file with another password, in turn.
		s.prefix = newPrefix()
		queues = append(queues, s.prefix+".events")
		s.redisPassword = secretFile(t, []string{redisPassword, "another"}[n%2])
		if e == nil {
			e = start(t, s)
			l = startLoad(t, e, hookPath, "changed", patiently)
		} else if err := e.Reload(s.caddyfile(t)); err != nil {
			t.Fatal(err)
		}
		before := l.seen("accepted")
		edge.Eventually(t, time.Minute, "events are taken", func() bool { return l.seen("accepted") > before+100 })
	}
	l.settle()
	if good, bad := l.seen("accepted"), l.troubled(); bad > good/20 { // on a busy machine
		t.Errorf("%d of %d answers were bad", bad, good+bad)
	}
	l.checkQueues(queues...)
	edge.Eventually(t, time.Minute, "the connections of the old settings are gone", func() bool {
		return proxy.Connections() == 2 && len(clients(redis)) <= 16
	})
}

// clients returns the IDs of the connections that the program has to Redis.
func clients(r *servers.Redis) map[string]bool {
	ids := make(map[string]bool)
	text, _ := r.Do("client", "list").(string)
	for line := range strings.Lines(text) {
		if strings.Contains(line, "user="+redisUser+" ") {
			ids[strings.Fields(line)[0]] = true
		}
	}
	return ids
}

func sameKeys(a, b map[string]bool) bool {
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return len(a) == len(b)
}
