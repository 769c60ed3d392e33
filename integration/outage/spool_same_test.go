package outage

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/integration/edge"
)

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

func TestAFullQueueOfAnotherProgramHoldsUpNobodyElse(t *testing.T) {
	const theirs = "theirs-full"
	ch := channel(t, "/")
	if _, err := ch.QueueDeclare(theirs, true, false, false, false, amqp.Table{"x-max-length": int64(2), "x-overflow": "reject-publish"}); err != nil {
		t.Fatal(err)
	}
	s := startSpooling(t, "", "spool", patient+`
	genesys_webhook /theirs {
		name theirs
		timeout 5s
		queue `+theirs+`
	}`)
	s.cutOff(t)
	for n := range 10 {
		want(t, s.Edge, "/theirs", payload(fmt.Sprint("theirs-", n)), 202, "accepted")
	}
	ids := s.spool(t, "others", 200)
	s.toRabbit.Resume()
	edge.Eventually(t, time.Minute, "all others are forwarded", func() bool { return s.backlog(t) <= 8 })
	s.arrived(t, ids, 0)
	edge.Eventually(t, 20*time.Second, "the log names the queue", func() bool {
		return strings.Contains(s.Log.String(), `"place":"`+theirs+`"`)
	})
	if a := get(t, s.Edge, "/readyz"); a.status != http.StatusOK || !strings.Contains(a.raw, "forwarding what was spooled: ") {
		t.Errorf("readiness: %d %s", a.status, a.raw)
	}
	there := make(map[string]int)
	edge.Eventually(t, 2*time.Minute, "the others come when there is room", func() bool {
		for id, ds := range drain(t, "/", theirs) {
			there[id] += len(ds)
		}
		return s.backlog(t) == 0
	})
	for id, ds := range drain(t, "/", theirs) {
		there[id] += len(ds)
	}
	for n := range 10 {
		if id := fmt.Sprint("theirs-", n); there[id] != 1 {
			t.Errorf("%s is there %d times", id, there[id])
		}
	}
}
