package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// output is what the program writes, while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// field returns a field of the first log line with a message.
func (o *output) field(msg, name string) string {
	for line := range strings.Lines(o.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == msg {
			return fmt.Sprint(fields[name])
		}
	}
	return ""
}

// results returns how many attempts had a result.
func (o *output) results(r string) int { return strings.Count(o.String(), `"result":"`+r+`"`) }

// count returns how many log lines have a message.
func (o *output) count(msg string) int { return strings.Count(o.String(), `"msg":"`+msg+`"`) }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// begin runs the program until the test ends it.
func begin(t *testing.T, env map[string]string, args ...string) (out *output, end func() int) {
	t.Helper()
	out = new(output)
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() { code <- run(ctx, args, environment(env), out, out) }()
	end = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() {
		end()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return out, end
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// downstream counts what it gets, and answers as it is told.
type downstream struct {
	mu     sync.Mutex
	keys   map[string]int
	answer func(key string, attempt int) int
	only   int
	slow   time.Duration // that it takes to answer
}

// newDownstream returns one that is well.
func newDownstream() *downstream {
	return &downstream{keys: map[string]int{}, answer: always(http.StatusOK)}
}

func always(status int) func(string, int) int { return func(string, int) int { return status } }

func (d *downstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	d.mu.Lock()
	key := r.Header.Get("Idempotency-Key")
	status := d.only
	if status == 0 {
		d.keys[key]++
		status = d.answer(key, d.keys[key])
	}
	d.mu.Unlock()
	if d.slow > 0 {
		time.Sleep(d.slow)
	}
	w.WriteHeader(status)
}

// got returns how many events came.
func (d *downstream) got() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.keys)
}

// again returns how many requests were not the first for their event.
func (d *downstream) again() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, times := range d.keys {
		n += times - 1
	}
	return n
}

// times returns how often an event came.
func (d *downstream) times(key string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.keys[key]
}

// deaf makes every answer the same, or with 0 as before.
func (d *downstream) deaf(status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.only = status
}

func TestEventsComeThroughRabbitMQOnce(t *testing.T) {
	broker, redis := rabbit(t), servers.StartRedis(t)
	d := &downstream{keys: map[string]int{}, answer: func(key string, attempt int) int {
		switch {
		case key == "bad":
			return http.StatusUnprocessableEntity
		case key == "late" && attempt == 1:
			return http.StatusServiceUnavailable
		}
		return http.StatusNoContent
	}}
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)

	q := publisher(t, broker, "once")
	out, end := begin(t, map[string]string{"HOOKGATE_QUEUE": broker.URL(), "HOOKGATE_INBOX": "redis://" + redis.Addr},
		"--forward", down.URL, "--metrics", "127.0.0.1:0", "--retry", "1s,2s", "--prefix", "once")
	eventually(t, "it answers", func() bool { return out.field("answering /metrics, /healthz and /readyz", "address") != "" })
	base := "http://" + out.field("answering /metrics, /healthz and /readyz", "address")
	eventually(t, "it is ready", func() bool { code, _ := get(t, base+"/readyz"); return code == http.StatusOK })

	for i := range 40 {
		publish(t, q, fmt.Sprint("conversation-", i))
	}
	publish(t, q, "conversation-0") // a copy
	publish(t, q, "bad")
	publish(t, q, "late")
	metric := func(line string) func() bool {
		return func() bool { _, text := get(t, base+"/metrics"); return strings.Contains(text, line+"\n") }
	}
	eventually(t, "all are processed", metric(`hookgate_consumer_attempts_total{hook="h",result="processed"} 41`))
	eventually(t, "the copy is dropped", metric(`hookgate_consumer_inbox_hits_total{hook="h"} 1`))
	eventually(t, "the bad one is a letter", metric(`hookgate_consumer_attempts_total{hook="h",result="permanent"} 1`))
	eventually(t, "the late one was tried again", metric(`hookgate_consumer_attempts_total{hook="h",result="retry"} 1`))
	if n := d.got(); n != 42 {
		t.Errorf("%d events came", n)
	}
	for key, n := range d.keys {
		if want := map[bool]int{true: 2, false: 1}[key == "late"]; n != want {
			t.Errorf("%s came %d times", key, n)
		}
	}
	eventually(t, "the dead letters have it", func() bool {
		n, err := q.Counts(context.Background())
		return err == nil && n.Dead == 1 && n.Ready == 0
	})
	eventually(t, "what waits is in the metrics", func() bool {
		return metric(`hookgate_rabbitmq_events{state="dead"} 1`)() && metric(`hookgate_rabbitmq_events{state="ready"} 0`)() &&
			metric(`hookgate_rabbitmq_retry_events{tier="2s"} 0`)() && metric(`hookgate_rabbitmq_oldest_seconds 0`)()
	})
	if code, text := get(t, base+"/healthz"); code != http.StatusOK {
		t.Error(code, text)
	}

	redis.Kill()
	eventually(t, "it is not ready without an inbox", func() bool {
		code, text := get(t, base+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(text, "inbox")
	})
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if text := out.String(); strings.Contains(text, "conversation-") || strings.Contains(text, "guest") {
		t.Error("the log names an event or a user")
	}
	if out.field("stopped", "msg") == "" {
		t.Error("it did not say that it stopped")
	}
}

// publisher is an edge, whose names begin with a prefix.
func publisher(t *testing.T, broker *servers.RabbitMQ, prefix string) *rabbitmq.Queue {
	t.Helper()
	q, err := rabbitmq.New(rabbitmq.Options{Servers: []rabbitmq.Server{{Addr: broker.Addr, Host: "localhost"}}, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = q.Close(ctx)
	})
	eventually(t, "the queue is ready", func() bool { return q.Ready() == nil })
	return q
}

func publish(t *testing.T, q *rabbitmq.Queue, id string) {
	t.Helper()
	ev := &hook.Event{ID: id, Hook: "h", ContentType: "application/json", Body: []byte(`{}`), Fingerprint: hook.Fingerprint{1}, ReceivedAt: time.Now()}
	eventually(t, "an event is taken", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err := q.Publish(ctx, ev)
		return err == nil
	})
}

func TestItRunsAndEndsWithNothingThere(t *testing.T) {
	out, end := begin(t, nil, "--queue", "amqp://127.0.0.1:1", "--forward", "log", "--inbox", "none", "--metrics", "127.0.0.1:0")
	eventually(t, "it answers", func() bool { return out.field("answering /metrics, /healthz and /readyz", "address") != "" })
	base := "http://" + out.field("answering /metrics, /healthz and /readyz", "address")
	if code, text := get(t, base+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "queue") || strings.Contains(text, "127.0.0.1") {
		t.Error(code, text)
	}
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if out.field("there is no inbox: copies of an event are processed too", "level") != "warn" {
		t.Error("it does not warn")
	}
}

func TestAnAddressThatIsTakenIsAFailure(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	_, end := begin(t, nil, "--queue", "amqp://127.0.0.1:1", "--forward", "log", "--inbox", "none", "--metrics", strings.TrimPrefix(s.URL, "http://"))
	if code := end(); code != exitFailure {
		t.Errorf("exit code %d", code)
	}
}
