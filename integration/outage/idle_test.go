package outage

import (
	"fmt"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

// Hooks are idle most of the time. A server says nothing then for as long as
// it pleases, and is there all the same. How long depends on when it was asked
// last.
func TestAnIdleServerIsNotTakenForOneThatIsGone(t *testing.T) {
	redis := startRedis(t)
	e := start(t, setup{redis: redis.Addr, rabbit: broker.Addr, prefix: newPrefix(), hooks: patient})
	edge.Eventually(t, time.Minute, "all connections are there", func() bool { return openConnections(t, e) == 2 })
	for round := range 5 {
		for i := range 8 { // on each connection
			want(t, e, hookPath, payload(fmt.Sprintf("evt_%d_%d", round, i)), 202, "accepted")
		}
		begin := time.Now()
		if edge.Within(3300*time.Millisecond, func() bool { return openConnections(t, e) != 2 }) {
			t.Fatalf("a connection is not used any more after %s", time.Since(begin).Round(time.Millisecond))
		}
	}
}

func openConnections(t *testing.T, e *edge.Edge) float64 {
	t.Helper()
	return metric(t, e, `hookgate_rabbitmq_connections{state="open"}`)
}
