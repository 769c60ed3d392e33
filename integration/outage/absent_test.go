package outage

import (
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

func TestAConfigIsValidWithNothingListening(t *testing.T) {
	port := servers.FreePorts(t, 2)
	s := setup{redis: "127.0.0.1:" + port[0], rabbit: "127.0.0.1:" + port[1], hooks: patient}
	begin := time.Now()
	if stderr, code := validate(t, s.caddyfile(t)); code != 0 {
		t.Errorf("it is not valid:\n%s", stderr)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTheProgramStartsWithoutItsServersAndFindsThemLater(t *testing.T) {
	redis := startRedis(t)
	redis.Kill()
	edge.Eventually(t, time.Minute, "the broker is old enough", func() bool { return time.Since(begun) > young })
	broker.Kill()
	back := false
	defer func() { // the other tests need it
		if !back {
			_ = broker.Start()
		}
	}()
	s := setup{redis: redis.Addr, rabbit: broker.Addr, prefix: newPrefix(), hooks: patient}
	e := edge.Start(t, program, s.caddyfile(t))
	ready := func() string { return get(t, e, "/readyz").raw }
	edge.Eventually(t, 20*time.Second, "it says what it lacks", func() bool {
		text := ready()
		return strings.Contains(text, "store: redis cannot be reached") && strings.Contains(text, "queue: rabbitmq")
	})
	if a := get(t, e, "/readyz"); a.status != 503 {
		t.Errorf("readiness: %d", a.status)
	}
	if a := get(t, e, "/healthz"); a.status != 200 {
		t.Errorf("health: %d %s", a.status, a.raw)
	}
	if text := ready(); strings.Contains(text, "127.0.0.1") {
		t.Errorf("it names an address: %s", text)
	}
	want(t, e, hookPath, payload("evt_1"), 503, "store_unavailable")

	redis.Restart()
	edge.Eventually(t, 20*time.Second, "the store is found", func() bool { return !strings.Contains(ready(), "store:") })
	want(t, e, hookPath, payload("evt_1"), 503, "queue_unavailable")

	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	back = true
	edge.Eventually(t, 20*time.Second, "the queue is found", func() bool { return get(t, e, "/readyz").status == 200 })
	want(t, e, hookPath, payload("evt_1"), 202, "accepted")
	if n := len(drain(t, "/", s.prefix+".events")["evt_1"]); n != 1 {
		t.Errorf("there are %d messages", n)
	}
}
