package outage

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// The confirmation comes when the answer is out: from then on the event is a
// duplicate, and there is no second message.
func TestAnEventInDoubtThatWasKeptIsADuplicate(t *testing.T) {
	redis, prefix := startRedis(t), newPrefix()
	proxy := servers.NewProxy(t, broker.Addr)
	e := start(t, setup{redis: redis.Addr, rabbit: proxy.Addr, prefix: prefix, hooks: "genesys_webhook"})
	for i, tc := range []struct {
		name       string
		hold, free func(t *testing.T)
	}{
		{
			"the broker was suspended",
			func(t *testing.T) { broker.Signal(t, syscall.SIGSTOP) },
			func(t *testing.T) { broker.Signal(t, syscall.SIGCONT) },
		},
		{
			"the confirmation was held up",
			func(*testing.T) { proxy.StallDown() },
			func(*testing.T) { proxy.Resume() },
		},
		{
			"the broker had a memory alarm",
			func(t *testing.T) { broker.Ctl(t, "set_vm_memory_high_watermark", "0.00001") },
			func(t *testing.T) { broker.Ctl(t, "set_vm_memory_high_watermark", "0.6") },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			edge.Eventually(t, 20*time.Second, "an event is taken", func() bool {
				return post(t, e, hookPath, payload("before")).ok()
			})
			tc.hold(t)
			var id string
			edge.Eventually(t, 20*time.Second, "an event is in doubt", func() bool {
				id = fmt.Sprintf("doubt-%d-%d", i, time.Now().UnixNano())
				return post(t, e, hookPath, payload(id)).code() == "outcome_unknown"
			})
			if a := post(t, e, hookPath, payload(id)); a.ok() {
				t.Errorf("it is taken while nobody knows: %s", a.raw)
			}
			tc.free(t)
			var last answer
			edge.Eventually(t, 20*time.Second, "it is known", func() bool {
				last = post(t, e, hookPath, payload(id))
				return last.ok()
			})
			if last.status != 200 || last.code() != "duplicate" || last.header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("then: %d %s", last.status, last.raw)
			}
			if n := len(drain(t, "/", prefix+".events")[id]); n != 1 {
				t.Errorf("there are %d messages", n)
			}
		})
	}
}
