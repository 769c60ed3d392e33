package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestReadAnswer(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		status    int
		left      string
		fails     bool
	}{
		{"with a body", "HTTP/1.1 202 Accepted\r\nServer: Caddy\r\nContent-Length: 5\r\n\r\nhelloHTTP", 202, "HTTP", false},
		{"without one", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 503, "", false},
		{"no length", "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "0\r\n\r\n", true},
		{"another protocol", "SSH-2.0-OpenSSH_9.9 202\r\n", 0, "", true},
		{"cut in the head", "HTTP/1.1 202 Accepted\r\nContent-Le", 0, "", true},
		{"cut in the body", "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhe", 202, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := bufio.NewReader(strings.NewReader(c.raw))
			status, err := readAnswer(r)
			if status != c.status || (err != nil) != c.fails {
				t.Errorf("got %d, %v", status, err)
			}
			if left, _ := io.ReadAll(r); string(left) != c.left {
				t.Errorf("left %q, want %q", left, c.left)
			}
		})
	}
}

// What is sent is what the figures say was sent: whole events, no ID twice.
func TestLoad(t *testing.T) {
	var (
		mu   sync.Mutex
		ids  = make(map[string]bool)
		size int
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var event struct{ WebhookEventID string }
		if err != nil || json.Unmarshal(body, &event) != nil || r.URL.Path != hookPath {
			t.Errorf("%s: %v: %s", r.URL, err, body)
		}
		mu.Lock()
		defer mu.Unlock()
		if ids[event.WebhookEventID] || len(event.WebhookEventID) != len(noID) {
			t.Errorf("event ID %q", event.WebhookEventID)
		}
		ids[event.WebhookEventID] = true
		size += len(body)
		if len(ids) == 100 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()

	l := startLoad(server.Listener.Addr().String(), 4)
	l.measure(t.Context(), 200*time.Millisecond)
	sum := l.stop()
	if sum.accepted+sum.failed != len(ids) || sum.failed != 1 || sum.statuses[http.StatusServiceUnavailable] != 1 || sum.late != 0 {
		t.Errorf("%d accepted, %d failed %v, %d late, of %d", sum.accepted, sum.failed, sum.statuses, sum.late, len(ids))
	}
	if n := len(sum.took); n == 0 || n > len(ids) {
		t.Errorf("%d of %d requests were measured", n, len(ids))
	}
	if mean := size / len(ids); mean < 400 || mean > 500 {
		t.Errorf("a body has %d bytes on average", mean)
	}
}

// A server that is gone is counted, and ends nothing.
func TestLoadWithoutServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	addr := server.Listener.Addr().String()
	server.Close()
	l := startLoad(addr, 2)
	l.measure(t.Context(), 50*time.Millisecond)
	if sum := l.stop(); sum.accepted != 0 || sum.failed == 0 || sum.statuses[0] != sum.failed {
		t.Errorf("got %+v", sum)
	}
}
