package integration

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// snippetWith returns the snippet of the documentation that has a word.
func snippetWith(t *testing.T, word string) string {
	t.Helper()
	for _, text := range snippets(t) {
		if strings.Contains(text, word) {
			return text
		}
	}
	t.Fatalf("no snippet of the documentation has %s", word)
	return ""
}

func TestTheSiteInFrontOfAnyHandlerSaysWhyItFails(t *testing.T) {
	snippet := snippetWith(t, "webhook_dedup")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/reset" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			}
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer upstream.Close()
	s := start(t, site(strings.Replace(snippet, "app:8000", strings.TrimPrefix(upstream.URL, "http://"), 1)))
	ask := func(method, path, id string) answer {
		t.Helper()
		req, err := http.NewRequest(method, s.URL(path), strings.NewReader(payload("alone")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if id != "" {
			req.Header.Set("Idempotency-Key", id)
		}
		a, err := do(httpClient, req)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	check := func(what string, a answer, status int, code string) {
		t.Helper()
		if a.status != status || a.code() != code {
			t.Errorf("%s: got %d %s, want %d %s", what, a.status, a.raw, status, code)
		}
		if a.status >= 400 && code != "" {
			checkShape(t, a)
		}
		if a.status >= 500 && a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", what)
		}
	}
	check("an event", ask("POST", "/", "a"), 204, "")
	check("the same again", ask("POST", "/", "a"), 200, "duplicate")
	check("no ID", ask("POST", "/", ""), 400, "missing_event_id")
	check("a GET", ask("GET", "/", "b"), 404, "")
	check("an upstream that resets", ask("POST", "/reset", "c"), 503, "outcome_unknown")
	upstream.Close()
	check("an upstream that is gone", ask("POST", "/", "d"), 502, "queue_unavailable")
}
