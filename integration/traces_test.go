package integration

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestATraceGoesFromTheRequestOnToItsProcessing(t *testing.T) {
	var (
		mu   sync.Mutex
		sent bytes.Buffer
		got  = make(map[string]string) // traceparent, by event ID
	)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(&sent, r.Body)
	}))
	t.Cleanup(collector.Close)
	down := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.Header.Get("Idempotency-Key")] = r.Header.Get("Traceparent")
	}))
	t.Cleanup(down.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	s := start(t, fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
		consumer {
			forward %s
		}
	}
}

http://:$PORT {
	bind 127.0.0.1
	tracing {
		span webhook
	}
	%s
	respond 404
}
`, down.URL, patientHook()))
	if a := s.post(payload("traced")); a.status != 202 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	var parent string
	eventually(t, 30*time.Second, "it is processed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		parent = got["traced"]
		return parent != ""
	})
	parts := strings.Split(parent, "-")
	if len(parts) != 4 {
		t.Fatalf("the downstream got %q", parent)
	}
	trace, _ := hex.DecodeString(parts[1])
	span, _ := hex.DecodeString(parts[2])
	eventually(t, 30*time.Second, "both spans are sent, of one trace", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Count(sent.Bytes(), trace) == 2 && bytes.Contains(sent.Bytes(), span) &&
			strings.Contains(sent.String(), "webhook") && strings.Contains(sent.String(), "process pe-action-map")
	})
}
