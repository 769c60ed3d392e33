package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample is the report of a run in which something of everything went wrong.
func sample() *Report {
	ms := time.Millisecond
	return &Report{
		URL: "https://hooks.example.com/hook", Source: "open-messaging", Payload: "open-messaging", Release: "next", Seed: 42, Started: time.Date(2026, 7, 4, 12, 0, 0, 0, time.UTC),
		Elapsed: 12345 * ms, Sending: 10 * time.Second, Events: 501, Requests: 520, Rate: 50, Deadline: 550 * ms,
		Answers: []Answers{
			{Sent: Good, Status: 202, Code: "accepted", Count: 450, Share: 0.9},
			{Sent: Good, Status: 401, Code: "unauthorized", Count: 50, Share: 0.1, Unexpected: 50},
			{Sent: Duplicate, Status: 202, Code: "accepted", Count: 2, Share: 1, Unexpected: 2},
			{Sent: Malformed, Status: 202, Code: "accepted", Count: 1, Share: 1, Unexpected: 1},
		},
		Latencies: []Latency{
			{Count: 503, P50: 3 * ms, P90: 5200 * time.Microsecond, P99: 20 * ms, Max: 612 * ms, Late: 1},
			{Sent: Good, Count: 500, P50: 3 * ms, P90: 5 * ms, P99: 20 * ms, Max: 612 * ms, Late: 1},
		},
		Errors:       []TransportErrors{{Sent: Good, Class: ClassReset, Count: 1, Example: "connection reset by peer"}},
		Late:         1,
		WronglyTaken: map[string]int{"truncated": 1}, AcceptedTwice: 2,
	}
}

const sampleTable = `https://hooks.example.com/hook
501 events, 520 requests in 12.35s, 50.0 events/s (asked 50/s), seed 42

SENT        STATUS   CODE           COUNT   SHARE
good        202      accepted       450     90.0%
good        401      unauthorized   50      10.0%
duplicate   202      accepted       2       100.0%
malformed   202      accepted       1       100.0%

LATENCY   COUNT   P50 ms   P90 ms   P99 ms   MAX ms   LATE
total     503     3.0      5.2      20.0     612.0    1
good      500     3.0      5.0      20.0     612.0    1

- refused: 50 events of kind good answered 401 unauthorized; give the hook's secret with --secret-header or --hmac
- unexpected: 2 requests of kind duplicate answered 202 accepted
- unexpected: 1 request of kind malformed answered 202 accepted
- no answer: 1 request of kind good, reset: connection reset by peer
- 2 events were accepted more than once

FAILED: 1 answer later than 550ms; 1 request got no answer but a transport error; 1 bad body was taken (truncated)
`

func TestTableIsForPeople(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleTable, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVerdictOfGoodRuns(t *testing.T) {
	for want, report := range map[string]*Report{
		"OK: 2 answers, none later than 550ms": {Requests: 2, Deadline: 550 * time.Millisecond, Latencies: []Latency{{Count: 2}}},
		"OK: 9 answers, none later than 550ms, but 4 good events were refused and 1 good event was kept for a person": {
			Requests: 9, Deadline: 550 * time.Millisecond, Latencies: []Latency{{Count: 9}},
			Answers: []Answers{
				{Sent: Good, Status: 401, Code: "unauthorized", Count: 3},
				{Sent: Good, Status: 503, Code: "overloaded", Count: 1},
				{Sent: Good, Status: 202, Code: "parked", Count: 1},
				{Sent: Good, Status: 202, Code: "accepted", Count: 2},
				{Sent: Malformed, Status: 400, Code: "invalid_json", Count: 1},
				{Sent: Malformed, Status: 202, Code: "parked", Count: 1},
			},
		},
		"OK: nothing was sent":         {Latencies: []Latency{{}}},
		"OK: no answer was waited for": {Requests: 1, Abandoned: 1, Latencies: []Latency{{}}},
	} {
		if got := report.Verdict(); got != want || !report.OK() {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestARateThatWasNotReachedIsNoted(t *testing.T) {
	report := &Report{Rate: 100, Events: 101, Sending: 2 * time.Second, Latencies: []Latency{{}}}
	if notes := strings.Join(report.Notes(), "\n"); !strings.Contains(notes, "50.0 events/s instead of 100") {
		t.Errorf("notes: %s", notes)
	}
}

func TestJSONHasTheSame(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	decoder := json.NewDecoder(&b)
	if err := decoder.Decode(&got); err != nil || decoder.More() {
		t.Fatalf("not one JSON object: %v", err)
	}
	notes, _ := got["notes"].([]any)
	if len(notes) != 5 {
		t.Errorf("%d notes", len(notes))
	}
	delete(got, "notes")
	answer := func(sent string, status float64, code string, count, share, unexpected float64) map[string]any {
		return map[string]any{"sent": sent, "status": status, "code": code, "count": count, "share": share, "unexpected": unexpected}
	}
	latency := func(sent string, count, p90 float64) map[string]any {
		return map[string]any{"sent": sent, "count": count, "p50_ms": 3.0, "p90_ms": p90, "p99_ms": 20.0, "max_ms": 612.0, "late": 1.0}
	}
	want := map[string]any{
		"url": "https://hooks.example.com/hook", "source": "open-messaging", "payload": "open-messaging", "release": "next", "given_up": 0.0, "seed": 42.0, "started": "2026-07-04T12:00:00Z",
		"elapsed_ms": 12345.0, "sending_ms": 10000.0, "interrupted": false, "events": 501.0, "requests": 520.0,
		"rate_asked": 50.0, "rate": 50.0, "deadline_ms": 550.0,
		"answers": []any{
			answer("good", 202, "accepted", 450, 0.9, 0), answer("good", 401, "unauthorized", 50, 0.1, 50),
			answer("duplicate", 202, "accepted", 2, 1, 2), answer("malformed", 202, "accepted", 1, 1, 1),
		},
		"latencies":        []any{latency("total", 503, 5.2), latency("good", 500, 5)},
		"transport_errors": []any{map[string]any{"sent": "good", "class": "reset", "count": 1.0, "example": "connection reset by peer"}},
		"late":             1.0, "silent": 0.0, "wrongly_taken": map[string]any{"truncated": 1.0}, "accepted_twice": 2.0, "abandoned": 0.0,
		"ok": false, "verdict": sample().Verdict(),
		"failures": []any{"1 answer later than 550ms", "1 request got no answer but a transport error", "1 bad body was taken (truncated)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJSONOfAnEmptyRunHasNoNulls(t *testing.T) {
	var b bytes.Buffer
	report := &Report{Latencies: []Latency{{}}}
	if err := report.WriteJSON(&b); err != nil || strings.Contains(b.String(), "null") {
		t.Errorf("%v: %s", err, b.String())
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestErrorsOfTheOutputAreReturned(t *testing.T) {
	if sample().WriteTable(failing{}) == nil || sample().WriteJSON(failing{}) == nil {
		t.Error("the error is lost")
	}
}

func TestReportHidesTheQuery(t *testing.T) {
	_, server := newReceiver(t)
	report := mustRun(t, Options{URL: server.URL + "/hook?token=secret", Count: 1})
	if report.URL != server.URL+"/hook" {
		t.Errorf("URL %q", report.URL)
	}
}

func TestProgressIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		after   time.Duration
		want    string
	}{
		"as lines, every 5 s": {
			options: Options{Count: 1000}, after: 12 * time.Second,
			want: "5s  sent 60 (12/s)  2xx 1  4xx 0  5xx 1  errors 1  slowest 20ms  ETA 1m35s\n" +
				"10s  sent 60 (6/s)  2xx 1  4xx 0  5xx 1  errors 1  slowest 20ms  ETA 3m10s\n",
		},
		"as one line, redrawn and taken away": {
			options: Options{Duration: 10 * time.Second, Redraw: true}, after: 1500 * time.Millisecond,
			want: "\r\x1b[K1s  sent 60 (60/s)  2xx 1  4xx 0  5xx 1  errors 1  slowest 20ms  ETA 9s\r\x1b[K",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				test.options.Progress = &b
				counts := newTally(time.Second)
				for range 50 {
					counts.event()
				}
				for range 60 {
					counts.begin()
				}
				counts.end(Good, "", reply{status: 202, code: "accepted", latency: 20 * time.Millisecond}, circumstance{})
				counts.end(Good, "", reply{status: 503}, circumstance{})
				counts.end(Good, "", reply{err: errors.New("gone")}, circumstance{})
				stop := startProgress(&test.options, counts, time.Now())
				<-time.After(test.after)
				stop()
				if diff := cmp.Diff(test.want, b.String()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
