package outage

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/google/go-cmp/cmp"

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

func TestWhatIsSpooledIsTheSameInRabbitMQ(t *testing.T) {
	const theirs, tasks = "theirs-spooled", "tasks-spooled"
	for _, queue := range []string{theirs, tasks} {
		if _, err := channel(t, "/").QueueDeclare(queue, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	s := startSpooling(t, startRedis(t).Addr, "spool", patient+`
	genesys_webhook /theirs {
		name theirs
		timeout 5s
		queue `+theirs+`
	}
	genesys_webhook /tasks {
		name tasks
		timeout 5s
		format celery app.tasks.take {
			queue `+tasks+`
		}
	}`)
	postAll := func(when string) {
		for _, path := range []string{hookPath, "/theirs", "/tasks"} {
			for _, body := range []string{payload(when), `{"webhookEventId":"` + when + `","callOutcome":7}`} {
				id := when
				if !strings.Contains(body, "campaignId") {
					id += "-bad"
				}
				body = strings.Replace(body, `"webhookEventId":"`+when, `"webhookEventId":"`+id, 1)
				req, err := http.NewRequest(http.MethodPost, s.URL(path), strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json; charset=utf-8")
				req.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				a, err := read(resp)
				wanted := "accepted"
				if strings.HasSuffix(id, "-bad") {
					wanted = "parked"
				}
				if local := a.body["durability"] == "local"; err != nil || a.status != 202 || a.code() != wanted || local != (when == "spooled") {
					t.Errorf("%s %s: %d %s, %v", path, id, a.status, a.raw, err)
				}
			}
		}
	}
	postAll("at-once")
	s.cutOff(t)
	postAll("spooled")
	if n := s.backlog(t); n != 6 {
		t.Errorf("%d are spooled", n)
	}
	want(t, s.Edge, hookPath, payload("spooled"), 200, "duplicate")
	s.toRabbit.Resume()
	s.drained(t)

	for queue, each := range map[string]int{s.prefix + ".events": 1, theirs: 1, tasks: 1, s.prefix + ".dead": 3} {
		there := drain(t, "/", queue)
		direct, spooled := append(there["at-once"], there["at-once-bad"]...), append(there["spooled"], there["spooled-bad"]...)
		if len(direct) != each || len(spooled) != each {
			t.Errorf("%s has %d and %d messages", queue, len(direct), len(spooled))
			continue
		}
		sortByHook(direct)
		sortByHook(spooled)
		for i := range direct {
			if diff := cmp.Diff(comparable(direct[i]), comparable(spooled[i])); diff != "" {
				t.Errorf("%s, -at once +spooled:\n%s", queue, diff)
			}
		}
	}
}

func sortByHook(ds []amqp.Delivery) {
	for i := range ds {
		for j := range i {
			if ds[i].Headers["x-hookgate-hook"].(string) < ds[j].Headers["x-hookgate-hook"].(string) {
				ds[i], ds[j] = ds[j], ds[i]
			}
		}
	}
}

// comparable returns what two messages of the same content have in common, with
// the same ID.
func comparable(d amqp.Delivery) map[string]any {
	same := strings.NewReplacer("at-once", "ID", "spooled", "ID")
	out := map[string]any{
		"body": same.Replace(string(d.Body)), "type": d.Type, "id": same.Replace(d.MessageId), "key": d.RoutingKey,
		"content type": d.ContentType, "encoding": d.ContentEncoding, "mode": d.DeliveryMode, "app": d.AppId,
		"correlation": same.Replace(d.CorrelationId), "exchange": d.Exchange,
	}
	for name, v := range d.Headers {
		switch name {
		case "x-hookgate-publish", "x-hookgate-received-at", "x-hookgate-fingerprint", "x-hookgate-fault-time", "x-hookgate-fault-first":
			v = fmt.Sprintf("%T", v)
		}
		if text, ok := v.(string); ok {
			v = same.Replace(text)
		}
		out[name] = v
	}
	return out
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
	s := startSpooling(t, "", "spool {\n\t\t\t\trate 200\n\t\t\t}", patient)
	s.cutOff(t)
	ids := s.spool(t, "reloaded", 800)
	s.toRabbit.Resume()
	for n := range 6 {
		before := metric(t, s.Edge, "hookgate_spool_forwarded_total")
		edge.Eventually(t, time.Minute, "it goes on", func() bool { return metric(t, s.Edge, "hookgate_spool_forwarded_total") > before })
		if n%3 == 2 { // and another connection
			s.rabbitSecret = secretFile(t, rabbitUser)
		}
		s.queue = fmt.Sprintf("spool {\n\t\t\t\trate %d\n\t\t\t}", 201+n)
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
	begin, end := strings.Index(spooled, "queue rabbitmq"), strings.Index(spooled, "\n\t\t}\n\t}\n}\n")
	before := spooled[:begin] + "queue embedded" + spooled[end+len("\n\t\t}"):]
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
			func(t *testing.T) { restartBroker(t, nil, nil) }, 2 * time.Second, senders,
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
