package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

func TestTracesAreSentWhereTheEnvironmentSays(t *testing.T) {
	broker := rabbit(t) // not parallel: it changes the environment
	var (
		mu   sync.Mutex
		sent bytes.Buffer // what a collector got
		got  string       // what the downstream got
	)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/v1/traces" && r.Header.Get("X-Key") == "hunter2" {
			_, _ = io.Copy(&sent, r.Body)
		}
	}))
	t.Cleanup(collector.Close)
	down := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.Header.Get("Traceparent")
	}))
	t.Cleanup(down.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hunter2")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	q := publisher(t, broker, "traces")
	ev := &hook.Event{
		ID: "conversation-1", Hook: "h", Body: []byte(`{}`), Fingerprint: hook.Fingerprint{1}, ReceivedAt: time.Now(),
		Header: map[string]string{hook.HeaderTraceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
	eventually(t, "an event is taken", func() bool { _, err := q.Publish(t.Context(), ev); return err == nil })
	p := process(t, "main", "--queue", broker.URL(), "--inbox", "none", "--forward", down.URL, "--prefix", "traces")
	eventually(t, "it has come", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return got != ""
	})
	if err := p.end(syscall.SIGTERM); err != nil { // sends the last spans
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	parts := strings.Split(got, "-")
	if len(parts) != 4 || parts[1] != "0af7651916cd43dd8448eb211c80319c" || parts[2] == "b7ad6b7169203331" {
		t.Fatalf("the downstream got %s", got)
	}
	for _, id := range append(parts[1:3], "b7ad6b7169203331") { // the trace, the span, its parent
		raw, _ := hex.DecodeString(id)
		if !bytes.Contains(sent.Bytes(), raw) {
			t.Errorf("%s was not sent", id)
		}
	}
	for _, text := range []string{"process h", "hookgate-consumer", "deployment.environment.name", hook.LogID("conversation-1"), "processed"} {
		if !strings.Contains(sent.String(), text) {
			t.Errorf("%s was not sent", text)
		}
	}
	if strings.Contains(sent.String(), "conversation-1") {
		t.Error("the event ID was sent")
	}
}

func TestTracesAreOnlyForThoseWhoAskForThem(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"nothing":        {nil, false},
		"an endpoint":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, true},
		"one for traces": {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, true},
		"an empty one":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, false},
		"no SDK":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, false},
		"no exporter":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, false},
		"a name alone":   {map[string]string{"OTEL_SERVICE_NAME": "x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := parse(needed, environment(c.env), os.Stdout)
			if err != nil || s.traces != c.want {
				t.Error(s, err)
			}
		})
	}
	_, err := parse(needed, environment(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}), os.Stdout)
	if err == nil || !strings.Contains(err.Error(), "http/protobuf") {
		t.Error(err)
	}
}
