package outage

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// spooling is a running program with a spool, and a proxy between it and the
// broker.
type spooling struct {
	*edge.Edge
	setup
	toRabbit *servers.Proxy
}

// startSpooling starts it. Without a Redis the store is in the file of the spool,
// and no event waits for anything else.
func startSpooling(t *testing.T, redis, queue, hooks string) *spooling {
	t.Helper()
	p := servers.NewProxy(t, broker.Addr)
	s := &spooling{toRabbit: p, setup: setup{
		redis: redis, rabbit: p.Addr, prefix: newPrefix(), queue: queue, hooks: hooks,
		rabbitSecret: secretFile(t, rabbitUser), redisPassword: secretFile(t, redisPassword),
	}}
	s.Edge = start(t, s.setup)
	s.connected(t)
	return s
}

// connected waits until the broker can be used, and nothing is spooled.
func (s *spooling) connected(t *testing.T) {
	t.Helper()
	edge.Eventually(t, time.Minute, "nothing is remarked", func() bool {
		a := get(t, s.Edge, "/readyz")
		return a.status == http.StatusOK && a.body["remarks"] == nil
	})
}

// cutOff takes the broker away.
func (s *spooling) cutOff(t *testing.T) {
	t.Helper()
	s.toRabbit.Refuse()
	edge.Eventually(t, 20*time.Second, "the broker is missed", func() bool {
		return strings.Contains(get(t, s.Edge, "/readyz").raw, "spooling: ")
	})
}

// backlog returns how many events and letters wait to be forwarded.
func (s *spooling) backlog(t *testing.T) int {
	t.Helper()
	return int(metric(t, s.Edge, `hookgate_spool_events{kind="event"}`) + metric(t, s.Edge, `hookgate_spool_events{kind="dead_letter"}`))
}

// spool posts that many new events, which must be kept on this node, several at
// once.
func (s *spooling) spool(t *testing.T, name string, count int) (ids []string) {
	t.Helper()
	var posting sync.WaitGroup
	for n := range count {
		ids = append(ids, fmt.Sprintf("%s-%d", name, n))
	}
	const posters = 8
	for p := range posters {
		posting.Go(func() {
			for n := p; n < count; n += posters {
				a, err := send(http.DefaultClient, s.URL(hookPath), payload(ids[n]))
				if err != nil || a.status != 202 || a.body["durability"] != "local" {
					t.Errorf("%s: %d %s, %v", ids[n], a.status, a.raw, err)
				}
			}
		})
	}
	posting.Wait()
	return ids
}

// drained waits until the spool is empty.
func (s *spooling) drained(t *testing.T) {
	t.Helper()
	edge.Eventually(t, time.Minute, "the spool is empty", func() bool { return s.backlog(t) == 0 })
}

// arrived checks that these events are in RabbitMQ, with so many copies beside
// at most.
func (s *spooling) arrived(t *testing.T, ids []string, copies int) {
	t.Helper()
	there := drain(t, "/", s.prefix+".events")
	more := 0
	for _, id := range ids {
		more += max(0, len(there[id])-1)
		if len(there[id]) == 0 {
			t.Errorf("%s is not there", id)
		}
	}
	if more > copies || len(there) > len(ids) {
		t.Errorf("there are %d copies, %d at most were expected, and %d events of %d", more, copies, len(there), len(ids))
	}
}

func TestAnEdgeThatIsKilledWhileItForwardsLosesNothing(t *testing.T) {
	s := startSpooling(t, "", "spool {\n\t\t\t\trate 300\n\t\t\t}", patient)
	s.cutOff(t)
	ids := s.spool(t, "killed", 600)
	s.toRabbit.Resume()
	const kills = 3
	for range kills {
		edge.Eventually(t, time.Minute, "some are forwarded", func() bool { return metric(t, s.Edge, "hookgate_spool_forwarded_total") >= 64 })
		if s.backlog(t) == 0 {
			t.Error("it was killed too late")
		}
		s.Kill()
		s.Run()
	}
	s.drained(t)
	s.arrived(t, ids, kills*64)
}

func TestAReloadWhileItForwardsSendsNothingTwice(t *testing.T) {
	s := startSpooling(t, "", "spool {\n\t\t\t\trate 60\n\t\t\t}", patient)
	s.cutOff(t)
	ids := s.spool(t, "reloaded", 800)
	s.toRabbit.Resume()
	for n := range 6 {
		before := metric(t, s.Edge, "hookgate_spool_forwarded_total")
		edge.Eventually(t, time.Minute, "it goes on", func() bool { return metric(t, s.Edge, "hookgate_spool_forwarded_total") > before })
		if n%3 == 2 { // and another connection
			s.rabbitSecret = secretFile(t, rabbitUser)
		}
		s.queue = fmt.Sprintf("spool {\n\t\t\t\trate %d\n\t\t\t}", 61+n)
		if err := s.Reload(s.caddyfile(t)); err != nil {
			t.Fatal(err)
		}
	}
	if s.backlog(t) == 0 {
		t.Error("it was reloaded too late")
	}
	s.drained(t)
	s.arrived(t, ids, 0)
}

func TestAnEdgeThatIsStoppedWhileItSpoolsLosesNothing(t *testing.T) {
	s := startSpooling(t, startRedis(t).Addr, "spool", patient)
	l := startLoad(t, s.Edge, hookPath, "stopped", patiently)
	edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 50 })
	s.cutOff(t)
	before := l.seen("accepted")
	edge.Eventually(t, time.Minute, "events are spooled", func() bool { return l.seen("accepted") > before+100 })
	if err := s.Terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(s.Log.String(), "events are left on this node") {
		t.Error("the log does not say what is left")
	}
	s.Run()
	s.toRabbit.Resume()
	l.settle()
	s.drained(t)
	s.connected(t)
	l.checkSpooled(s.prefix+".events", senders)
}

func TestAFullSpoolRefusesNewEventsAndKeepsTheOldOnes(t *testing.T) {
	s := startSpooling(t, startRedis(t).Addr, "spool {\n\t\t\t\tmax_size 400KiB\n\t\t\t}", patient)
	s.cutOff(t)
	var ids []string
	full, n := answer{}, 0
	edge.Eventually(t, time.Minute, "the spool is full", func() bool {
		id := fmt.Sprintf("full-%d", n)
		n++
		if full = post(t, s.Edge, hookPath, payload(id)); full.ok() {
			ids = append(ids, id)
		}
		return full.status != 202 && full.code() != "store_unavailable" // of a Redis on a busy machine
	})
	if full.status != 503 || full.code() != "queue_unavailable" || full.flaw() != "" {
		t.Errorf("got %d %s", full.status, full.raw)
	}
	if a := get(t, s.Edge, "/readyz"); a.status != 503 || !strings.Contains(a.raw, "full") {
		t.Errorf("readiness: %d %s", a.status, a.raw)
	}
	want(t, s.Edge, hookPath, payload(ids[0]), 200, "duplicate")
	s.toRabbit.Resume()
	s.drained(t)
	s.connected(t)
	edge.Eventually(t, 20*time.Second, "new events go to the broker", func() bool {
		id := fmt.Sprintf("full-%d", n)
		n++
		a := post(t, s.Edge, hookPath, payload(id))
		if a.ok() {
			ids = append(ids, id)
		}
		return a.ok() && a.body["durability"] == nil
	})
	s.drained(t)
	s.arrived(t, ids, 0)
}

func TestWhatAnEmbeddedQueueHasLeftIsForwarded(t *testing.T) {
	s := &spooling{toRabbit: servers.NewProxy(t, broker.Addr), setup: setup{redis: startRedis(t).Addr, prefix: newPrefix(), queue: "spool", hooks: patient}}
	s.rabbit = s.toRabbit.Addr
	spooled := s.caddyfile(t)
	head, tail, _ := strings.Cut(spooled, "queue rabbitmq")
	_, tail, _ = strings.Cut(tail, "\n\t\t}")
	before := head + "queue embedded" + tail
	s.Edge = edge.Start(t, program, before)
	var ids []string
	for n := range 20 {
		ids = append(ids, fmt.Sprintf("left-%d", n))
		want(t, s.Edge, hookPath, payload(ids[n]), 202, "accepted")
	}
	want(t, s.Edge, hookPath, `{"webhookEventId":"left-bad"}`, 202, "parked")
	if a := post(t, s.Edge, hookPath, payload("left-0")); a.body["durability"] != nil {
		t.Errorf("with an embedded queue: %s", a.raw)
	}
	if err := s.Reload(spooled); err != nil {
		t.Fatal(err)
	}
	s.drained(t)
	s.arrived(t, ids, 0)
	if letters := drain(t, "/", s.prefix+".dead")["left-bad"]; len(letters) != 1 || letters[0].Headers["x-hookgate-fault-kind"] != "invalid" {
		t.Errorf("the letters are %v", letters)
	}
}

func TestAnOperatorSeesWhatIsSpooled(t *testing.T) {
	s := startSpooling(t, startRedis(t).Addr, "spool", "log\n\t"+patient)
	s.cutOff(t)
	ids := s.spool(t, "seen", 5)
	want(t, s.Edge, hookPath, `{"webhookEventId":"seen-bad"}`, 202, "parked")
	a := get(t, s.Edge, "/readyz")
	if remarks := fmt.Sprint(a.body["remarks"]); a.status != 200 || a.body["status"] != "ready" ||
		!strings.Contains(remarks, "queue: rabbitmq") || !strings.Contains(remarks, "spooling: 6 events, oldest ") || strings.Contains(remarks, "127.0.0.1") {
		t.Errorf("readiness: %d %s", a.status, a.raw)
	}
	out, stderr, code := edge.Command(t, program, "queue", "--address", s.Admin)
	for _, text := range []string{"events                     5", "dead letters               1", "oldest", "KiB of 4.0 GiB"} {
		if code != 1 || !strings.Contains(out, text) {
			t.Errorf("hookgate queue ends with %d and does not say %q:\n%s%s", code, text, out, stderr)
		}
	}
	var shown struct {
		Ready *int
		Error string
		Spool map[string]any
	}
	raw, _, _ := edge.Command(t, program, "queue", "--json", "--address", s.Admin)
	if err := json.Unmarshal([]byte(raw), &shown); err != nil || shown.Ready != nil || shown.Error == "" ||
		shown.Spool["events"] != 5.0 || shown.Spool["dead_letters"] != 1.0 || shown.Spool["spooled"] != 6.0 {
		t.Errorf("as JSON: %v\n%s", err, raw)
	}
	if n := metric(t, s.Edge, `hookgate_local_accepts_total{hook="pe-action-map"}`); n != 6 {
		t.Errorf("%v local accepts are counted", n)
	}
	if n := strings.Count(s.Log.String(), `"durability":"local"`); n != 6 {
		t.Errorf("%d lines of the access log say so", n)
	}
	edge.Eventually(t, 20*time.Second, "it gets older", func() bool { return metric(t, s.Edge, "hookgate_spool_oldest_seconds") > 0.1 })
	if metric(t, s.Edge, "hookgate_spool_bytes") == 0 {
		t.Error("it has no bytes")
	}

	s.toRabbit.Resume()
	s.drained(t)
	s.connected(t)
	edge.Eventually(t, 20*time.Second, "the end is logged", func() bool { return strings.Contains(s.Log.String(), "nothing waits on this node any more") })
	out, stderr, code = edge.Command(t, program, "queue", "--address", s.Admin)
	if code != 0 || !strings.Contains(out, "ready  5") || !strings.Contains(out, "forwarded since the start  6") {
		t.Errorf("then hookgate queue ends with %d:\n%s%s", code, out, stderr)
	}
	if n := strings.Count(s.Log.String(), "they are kept on this node until it can"); n != 1 {
		t.Errorf("the begin was logged %d times", n)
	}
	s.arrived(t, ids, 0)
}
