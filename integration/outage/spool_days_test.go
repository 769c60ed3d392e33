package outage

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/integration/edge"
)

func TestEachEventIsTakenWhateverIsWrongWithRabbitMQ(t *testing.T) {
	s := startSpooling(t, "", "spool", "genesys_webhook {\n\t\ttimeout 2s\n\t}\n\tgenesys_webhook /soon {\n\t\tname soon\n\t}")
	begin := time.Now()
	l := startLoad(t, s.Edge, hookPath, "warm")
	edge.Eventually(t, time.Minute, "the queues are old enough", func() bool { return time.Since(begin) > young })
	l.settle()
	l.checkQueues(s.prefix + ".events")

	ctl := func(args ...string) func(*testing.T) { return func(t *testing.T) { broker.Ctl(t, args...) } }
	for _, tc := range []struct {
		name       string
		ruin, heal func(t *testing.T)
		lasts      time.Duration
		doubts     int // events that may be there twice
	}{
		{
			"it is killed",
			func(*testing.T) { broker.Kill() },
			func(t *testing.T) { restartBroker(t, nil, nil) }, 2 * time.Second, senders + 64, // and a batch, while its queue finds a leader
		}, {
			"it is suspended",
			func(t *testing.T) { broker.Signal(t, syscall.SIGSTOP) },
			func(t *testing.T) { broker.Signal(t, syscall.SIGCONT) }, 7 * time.Second, 64,
		}, {
			"it has a memory alarm",
			ctl("set_vm_memory_high_watermark", "0.00001"),
			ctl("set_vm_memory_high_watermark", "0.6"), 2 * time.Second, 64,
		}, {
			"its queue is full",
			ctl("set_policy", "spool-full", "^"+s.prefix+`\.events$`, `{"max-length":1}`, "--apply-to", "queues"),
			ctl("clear_policy", "spool-full"), 2 * time.Second, 0,
		}, {
			"it cannot be reached",
			func(*testing.T) { s.toRabbit.Refuse() },
			func(*testing.T) { s.toRabbit.Resume() }, 2 * time.Second, senders,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := startLoad(t, s.Edge, hookPath, t.Name(), func(l *load) { l.bound = 3 * time.Second })
			edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 50 })
			spooled := metric(t, s.Edge, "hookgate_spool_spooled_total")
			tc.ruin(t)
			ruined := time.Now()
			edge.Eventually(t, time.Minute, "events are spooled", func() bool {
				return metric(t, s.Edge, "hookgate_spool_spooled_total") > spooled+100 && time.Since(ruined) > tc.lasts
			})
			if a := get(t, s.Edge, "/readyz"); a.status != http.StatusOK || a.body["remarks"] == nil {
				t.Errorf("readiness: %d %s", a.status, a.raw)
			}
			s.answersSoon(t)
			tc.heal(t)
			l.settle()
			s.drained(t)
			s.connected(t)
			if n := l.troubled(); n > 0 {
				t.Errorf("%d answers were no 2xx: %v", n, l.codes)
			}
			before := metric(t, s.Edge, "hookgate_spool_spooled_total")
			edge.Eventually(t, 20*time.Second, "events go to the broker again", func() bool {
				a := post(t, s.Edge, "/soon", payload(fmt.Sprint("direct-", time.Now().UnixNano())))
				return a.ok() && a.body["durability"] == nil
			})
			t.Logf("%v were spooled, %v taken back", before-spooled, metric(t, s.Edge, "hookgate_spool_withdrawn_total"))
			l.checkSpooled(s.prefix+".events", tc.doubts)
		})
	}
}

// answersSoon posts to a hook with the budget of 500 ms until an answer is there
// in time. A busy machine may be late a few times.
func (s *spooling) answersSoon(t *testing.T) {
	t.Helper()
	var a answer
	var took time.Duration
	for range 5 {
		begin := time.Now()
		a = post(t, s.Edge, "/soon", payload(fmt.Sprint("soon-", begin.UnixNano())))
		if took = time.Since(begin); a.status == 202 && a.body["durability"] == "local" && took < promised {
			return
		}
	}
	t.Errorf("after %s: %d %s", took, a.status, a.raw)
}

// checkSpooled is checkQueues where so many events may have been in doubt inside
// of the edge, and are there twice.
func (l *load) checkSpooled(queue string, doubts int) {
	l.t.Helper()
	there := drain(l.t, "/", queue)
	copies := 0
	for id, f := range l.events {
		n := len(there[id])
		if f.taken && n == 0 {
			l.t.Errorf("%s was taken and is not there: %q", id, f.answers)
		}
		for _, d := range there[id][min(1, n):] {
			if diff := cmp.Diff(comparable(there[id][0]), comparable(d)); diff != "" {
				l.t.Errorf("a copy of %s is another:\n%s", id, diff)
			}
			if !f.doubt {
				copies++
			}
		}
	}
	l.t.Logf("%d copies", copies)
	if copies > doubts {
		l.t.Errorf("there are %d copies, and %d at most may be", copies, doubts)
	}
}
