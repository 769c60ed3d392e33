package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// chunked hides the length of a body, so that it is sent in chunks.
func chunked(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

// sized returns a valid event of exactly n bytes.
func sized(id string, n int) string {
	base := strings.TrimSuffix(payload(id), "}") + `,"padding":"`
	return base + strings.Repeat("x", n-len(base)-2) + `"}`
}

func withID(value string) string {
	return strings.Replace(examplePayload, `"evt_8f7g6h5j4k3l2m1n0o9p8q7r6s5t4u3v"`, value, 1)
}

func TestEachAnswerSaysWhy(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath))

	for _, tc := range []struct {
		name   string
		body   io.Reader
		header []string
		status int
		code   string
	}{
		{"a whole event is accepted", strings.NewReader(payload("a1")), nil, 202, "accepted"},
		{"the same event again is a duplicate", strings.NewReader(payload("a1")), nil, 200, "duplicate"},
		{"a resend with a new timestamp is a duplicate", strings.NewReader(strings.Replace(payload("a1"), "18:32", "19:44", 1)), nil, 200, "duplicate"},
		{"the same ID with another body is parked", strings.NewReader(strings.Replace(payload("a1"), "answered", "busy", 1)), nil, 202, "parked"},
		{"what was parked is not parked again", strings.NewReader(strings.Replace(payload("a1"), "answered", "busy", 1)), nil, 200, "duplicate"},
		{"a chunked body is taken", chunked(payload("a2")), nil, 202, "accepted"},
		{"a charset of utf-8 is taken", strings.NewReader(payload("a3")), []string{"Content-Type", "application/json; charset=UTF-8"}, 202, "accepted"},
		{"a charset of utf8 is one too", strings.NewReader(payload("a3-utf8")), []string{"Content-Type", "application/json; charset=utf8"}, 202, "accepted"},
		{"unknown fields pass", strings.NewReader(sized("a4", 2000)), nil, 202, "accepted"},
		{"64 KiB are taken", strings.NewReader(sized("a5", 64<<10)), nil, 202, "accepted"},
		{"64 KiB in chunks are taken", chunked(sized("a6", 64<<10)), nil, 202, "accepted"},
		{"an ID of 255 bytes is taken", strings.NewReader(payload(strings.Repeat("i", 255))), nil, 202, "accepted"},
		{"an ID of 256 bytes is taken by its digest", strings.NewReader(payload(strings.Repeat("i", 256))), nil, 202, "accepted"},
		{"absent agent fields pass", strings.NewReader(strings.Replace(payload("a7"), `"agentId":"11223344-5566-7788-99aa-bbccddeeff00",`, "", 1)), nil, 202, "accepted"},
		{"null agent fields pass", strings.NewReader(strings.Replace(payload("a8"), `"Sarah_Jenkins"`, "null", 1)), nil, 202, "accepted"},

		{"64 KiB and one byte are too large", strings.NewReader(sized("b1", 64<<10+1)), nil, 413, "body_too_large"},
		{"64 KiB and one byte in chunks are too large", chunked(sized("b2", 64<<10+1)), nil, 413, "body_too_large"},
		{"no content type", strings.NewReader(payload("b3")), []string{"Content-Type", ""}, 415, "unsupported_media_type"},
		{"a form", strings.NewReader(payload("b4")), []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		{"text", strings.NewReader(payload("b5")), []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type"},
		{"another charset", strings.NewReader(payload("b6")), []string{"Content-Type", "application/json; charset=latin1"}, 415, "unsupported_media_type"},
		{"a content encoding", strings.NewReader(payload("b7")), []string{"Content-Encoding", "gzip"}, 415, "unsupported_media_type"},
		{"an empty body", strings.NewReader(""), nil, 400, "invalid_json"},
		{"malformed JSON", strings.NewReader(`{"webhookEventId":`), nil, 400, "invalid_json"},
		{"a truncated event", strings.NewReader(payload("b8")[:300]), nil, 400, "invalid_json"},
		{"trailing bytes", strings.NewReader(payload("b9") + "{}"), nil, 400, "invalid_json"},
		{"a byte order mark", strings.NewReader("\ufeff" + payload("b10")), nil, 400, "invalid_json"},
		{"invalid UTF-8", strings.NewReader(payload("b11\xff")), nil, 400, "invalid_json"},
		{"a lone surrogate", strings.NewReader(payload(`b12\ud800`)), nil, 400, "invalid_json"},
		{"a duplicate name", strings.NewReader(strings.TrimSuffix(payload("b13"), "}") + `,"webhookEventId":"b13x"}`), nil, 400, "invalid_json"},
		{"a duplicate name deep inside", strings.NewReader(strings.TrimSuffix(payload("b14"), "}") + `,"x":{"y":[{"z":1,"z":2}]}}`), nil, 400, "invalid_json"},
		{"an array", strings.NewReader("[" + payload("b15") + "]"), nil, 400, "invalid_json"},
		{"a depth of 10,000", strings.NewReader(strings.Repeat(`{"a":`, 10000)), nil, 400, "invalid_json"},
		{"the ID in upper case", strings.NewReader(strings.Replace(payload("b16"), "webhookEventId", "WEBHOOKEVENTID", 1)), nil, 400, "missing_event_id"},
		{"the ID with a Kelvin sign for the k", strings.NewReader(strings.Replace(payload("b17"), "webhookEventId", "webhoo\u212aEventId", 1)), nil, 400, "missing_event_id"},
		{"an ID of null", strings.NewReader(withID("null")), nil, 400, "missing_event_id"},
		{"an empty ID", strings.NewReader(withID(`""`)), nil, 400, "missing_event_id"},
		{"an ID that is a number", strings.NewReader(withID("17")), nil, 400, "missing_event_id"},
		{"an ID with a control character", strings.NewReader(withID(`"a\u0007b"`)), nil, 400, "missing_event_id"},
		{"a contract that is not met is parked", strings.NewReader(strings.Replace(payload("c1"), `"callOutcome":"answered",`, "", 1)), nil, 202, "parked"},
		{"its corrected resend is a new event", strings.NewReader(payload("c1")), nil, 202, "accepted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := send(http.DefaultClient, s.URL(hookPath), tc.body, tc.header...)
			if err != nil {
				t.Fatal(err)
			}
			if a.status != tc.status || a.code() != tc.code {
				t.Errorf("got %d %s, want %d %s: %s", a.status, a.code(), tc.status, tc.code, a.raw)
			}
			checkShape(t, a)
		})
	}
	if q := s.queue(); q.Ready != 12 || q.Dead != 2 {
		t.Errorf("the queue holds %d events and %d dead letters, want 12 and 2", q.Ready, q.Dead)
	}
	for _, e := range s.events("dead") {
		if e.Fault == nil || e.Fault.Message == "" {
			t.Errorf("the dead letter %d has no fault", e.Seq)
		}
	}
}

// checkShape holds an answer against what every answer has.
func checkShape(t *testing.T, a answer) {
	t.Helper()
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if a.status < 300 {
		if a.header.Get("Content-Type") != "application/json" || a.body["event_id"] == "" || a.body["processing_time_ms"] == nil {
			t.Errorf("not the answer of a success: %s", a.raw)
		}
		if got := a.header.Get("Idempotent-Replayed"); (got == "true") != (a.code() == "duplicate") {
			t.Errorf("Idempotent-Replayed is %q for %s", got, a.code())
		}
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type is %q", got)
	}
	for _, member := range []string{"type", "title", "status", "detail", "instance", "code", "error"} {
		if a.body[member] == nil || a.body[member] == "" {
			t.Errorf("the problem has no %s: %s", member, a.raw)
		}
	}
	if float64(a.status) != a.body["status"] {
		t.Errorf("status %d, but %v in the body", a.status, a.body["status"])
	}
	if (a.status == 503 || a.status == 504) && a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestOlderReceiversShortTextsAreKept(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath))
	for want, a := range map[string]answer{
		"Unsupported Media Type":  s.post(payload("x"), "Content-Type", "text/plain"),
		"Invalid JSON":            s.post("{"),
		"Missing idempotency key": s.post("{}"),
	} {
		if a.body["error"] != want {
			t.Errorf("error is %q, want %q", a.body["error"], want)
		}
	}
}

func TestAHookThatRejectsSaysWhereAndNeverWhat(t *testing.T) {
	s := start(t, site(`	genesys_webhook `+hookPath+` {
		on_contract_violation reject
		on_conflict reject
	}`))
	a := s.post(strings.NewReplacer(`"callOutcome":"answered",`, "", `"+14155551234"`, "4155559999").Replace(payload("r1")))
	if a.status != 422 || a.code() != "contract_violation" {
		t.Fatalf("got %d %s", a.status, a.raw)
	}
	errs, _ := json.Marshal(a.body["errors"])
	want := `[{"code":"missing","pointer":"/callOutcome"},{"code":"type","pointer":"/contactNumber"}]`
	if string(errs) != want {
		t.Errorf("errors are %s, want %s", errs, want)
	}
	if strings.Contains(a.raw, "4155559999") {
		t.Error("the answer holds a phone number")
	}
	if a := s.post(payload("r2")); a.status != 202 {
		t.Fatal(a.raw)
	}
	if a := s.post(strings.Replace(payload("r2"), "answered", "busy", 1)); a.status != 409 || a.code() != "conflict" {
		t.Errorf("got %d %s", a.status, a.raw)
	}
	if q := s.queue(); q.Dead != 0 {
		t.Errorf("%d dead letters of a hook that rejects", q.Dead)
	}
}

func TestWrongMethodsPathsAndHostsAreNeverTakenForAnAnswer(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath))
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		req, _ := http.NewRequest(method, s.URL(hookPath), nil)
		a, err := do(http.DefaultClient, req)
		if method == "HEAD" {
			if err == nil && a.status != 405 {
				t.Errorf("HEAD: %d", a.status)
			}
			continue
		}
		if err != nil || a.status != 405 || a.code() != "method_not_allowed" || a.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d %s %v", method, a.status, a.raw, err)
		}
	}
	for _, path := range []string{"/", hookPath + "/", hookPath + "/x", "/webhooks/genesys/other", strings.ToUpper(hookPath) + "X", "/webhooks//genesys/pe-action-map/.."} {
		a, err := send(http.DefaultClient, s.URL(path), strings.NewReader(payload("p")))
		if err != nil || a.status != 404 {
			t.Errorf("%s: %d %s %v, want 404", path, a.status, a.raw, err)
		}
	}
	req, _ := http.NewRequest(http.MethodPost, s.URL(hookPath), strings.NewReader(payload("h")))
	req.Host = "evil.example"
	req.Header.Set("Content-Type", "application/json")
	if a, err := do(http.DefaultClient, req); err != nil || a.status < 400 && a.status != 202 {
		t.Errorf("a foreign host: %d %v", a.status, err)
	}
}

func TestManyIdenticalRequestsAtOnceAreOneEvent(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath))
	const n = 64
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		answers = map[string]int{}
	)
	for range n {
		wg.Go(func() {
			a, err := send(http.DefaultClient, s.URL(hookPath), strings.NewReader(payload("same")))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				answers[err.Error()]++
				return
			}
			answers[fmt.Sprint(a.status, " ", a.code())]++
		})
	}
	wg.Wait()
	if answers["202 accepted"] != 1 || answers["200 duplicate"] != n-1 {
		t.Errorf("answers were %v", answers)
	}
	if q := s.queue(); q.Ready != 1 {
		t.Errorf("%d events in the queue", q.Ready)
	}
}

func TestAnEventIsKeptAsItCame(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath))
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	body := " " + payload("kept") + "\n"
	if a := s.post(body, "Traceparent", parent); a.status != 202 {
		t.Fatal(a.raw)
	}
	events := s.events("ready")
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	if e.EventID != "kept" || e.Hook != "pe-action-map" || e.Contract != "pe-action-map/1" || e.ClientIP != "127.0.0.1" || e.Traceparent != parent {
		t.Errorf("the event is %+v", e)
	}
	if string(e.Body) != strings.TrimSpace(body) { // the admin API compacts JSON
		t.Errorf("the body is %s", e.Body)
	}
}
