package simulate

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// moody answers each body with one status after the other, and the last one
// from then on. 0 is no answer in time.
type moody struct {
	*httptest.Server
	statuses []int

	mu   sync.Mutex
	seen map[[32]byte]int
	all  []http.Header
}

func newMoody(t *testing.T, statuses ...int) *moody {
	m := &moody{statuses: statuses, seen: make(map[[32]byte]int)}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key := sha256.Sum256(body)
		m.mu.Lock()
		n := m.seen[key]
		m.seen[key]++
		header := r.Header.Clone()
		header.Set("Transfer-Encoding", strings.Join(r.TransferEncoding, ","))
		m.all = append(m.all, header)
		m.mu.Unlock()
		status := m.statuses[min(n, len(m.statuses)-1)]
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(status)
		if status/100 == 2 {
			_, _ = io.WriteString(w, `{"status":"accepted"}`)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *moody) times() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var times []int
	for _, n := range m.seen {
		times = append(times, n)
	}
	slices.Sort(times)
	return times
}

func TestOpenMessagingSendsAgainWhatWasNotTaken(t *testing.T) {
	for _, tc := range []struct {
		name     string
		statuses []int
		retries  int
		requests int // of one event
		givenUp  bool
	}{
		{"an event that is taken", []int{200}, 5, 1, false},
		{"503, 429 and 500", []int{503, 429, 500, 200}, 5, 4, false},
		{"no answer", []int{0, 200}, 5, 2, false},
		{"never taken", []int{503}, 5, 6, true},
		{"a 4xx is final", []int{400}, 5, 1, true},
		{"a 4xx behind a 5xx is final", []int{503, 422}, 5, 2, true},
		{"a redirect is final", []int{302}, 5, 1, true},
		{"a data action does not", []int{503}, 0, 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMoody(t, tc.statuses...)
			o := Options{URL: m.URL, Count: 3, Source: SourceOpenMessaging, Retries: tc.retries, RetryPause: time.Millisecond, Deadline: 10 * time.Second}
			if tc.statuses[0] == 0 {
				o.Deadline, o.Timeout = 100*time.Millisecond, 200*time.Millisecond
			}
			report := mustRun(t, o)
			want := []int{tc.requests, tc.requests, tc.requests}
			if got := m.times(); !slices.Equal(got, want) {
				t.Errorf("the events came %v times, want %v", got, want)
			}
			if (report.GivenUp == 3) != tc.givenUp || report.Requests != 3*tc.requests || report.Events != 3 {
				t.Errorf("given up %d, %d requests, %d events", report.GivenUp, report.Requests, report.Events)
			}
			if given := strings.Contains(strings.Join(report.Notes(), "\n"), "3 events were given up after all retries"); given != tc.givenUp {
				t.Errorf("notes: %v", report.Notes())
			}
			retries := 0
			for _, a := range report.Answers {
				if a.Sent == Retry {
					retries += a.Count
				}
			}
			if retries != 3*(tc.requests-1) {
				t.Errorf("%d answers to retries in %+v", retries, report.Answers)
			}
		})
	}
}

func TestASlotIsFreeWhileAnEventWaitsForItsRetry(t *testing.T) {
	m := newMoody(t, 503, 200)
	report := mustRun(t, Options{URL: m.URL, Count: 20, Concurrency: 2, InFlight: 0.5, Retries: 3, RetryPause: 20 * time.Millisecond, Deadline: 10 * time.Second})
	if report.GivenUp != 0 || report.Events != 20 {
		t.Errorf("given up %d of %d", report.GivenUp, report.Events)
	}
}

func TestAStoppedRunSendsNothingAgain(t *testing.T) {
	m := newMoody(t, 503)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan *Report, 1)
	go func() {
		report, err := Run(ctx, Options{URL: m.URL, Count: 1, Retries: 5, RetryPause: time.Hour, Deadline: 10 * time.Second})
		if err != nil {
			t.Error(err)
		}
		done <- report
	}()
	deadline := time.After(30 * time.Second)
	for len(m.times()) == 0 {
		select {
		case <-deadline:
			t.Fatal("nothing was sent")
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	select {
	case report := <-done:
		if report.Requests != 1 || !report.Interrupted {
			t.Errorf("got %+v", report)
		}
	case <-deadline:
		t.Fatal("it waits for the retry")
	}
}

func TestASourceSendsAsItDoes(t *testing.T) {
	m := newMoody(t, 202)
	mustRun(t, Options{URL: m.URL, Count: 1, Source: SourceOpenMessaging, HMAC: "0123456789abcdef"})
	mustRun(t, Options{URL: m.URL, Count: 1, Source: SourceDataAction, Chunked: 1})
	om, action := m.all[0], m.all[1]
	if om.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(om.Get("X-Hub-Signature-256"), "sha256=") || om.Get("Transfer-Encoding") != "" {
		t.Errorf("Open Messaging: %v", om)
	}
	if action.Get("Content-Type") != "application/json" || action.Get("X-Hub-Signature-256") != "" || action.Get("Transfer-Encoding") != "chunked" {
		t.Errorf("a data action: %v", action)
	}
	for _, o := range []Options{{Source: "carrier"}, {Payload: "other"}, {Release: "2020"}, {Release: "2023-13"}, {Release: "yesterday"}, {Retries: -1}, {RetryPause: -1}} {
		o.URL = m.URL
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestTheSignatureIsThatOfTheDocumentedVectors(t *testing.T) {
	for body, want := range map[string]string{
		`{"id":"1","text":"Hi"}`: "sha256=m3xi9rnG7PKCjmP7za3K53GhqinJWmvXCnFx8Lr20EQ=",
		`{"id":"d7d58935af65a45e5234ac77de017a0a","channel":{"id":"e6b352de-ecd0-49c7-94de-7787418869bc","platform":"Open","type":"Private","to":{"id":"did:plc:sbgfuxxuytgb65bjytiijovp","idType":"Opaque"},"from":{"nickname":"Bluesky - Open Social - DO","id":"e6b352de-ecd0-49c7-94de-7787418869bc","idType":"Opaque"},"time":"2025-06-10T21:03:05.427Z","messageId":"d7d58935af65a45e5234ac77de017a0a"},"type":"Text","text":"Hi","originatingEntity":"Human","direction":"Outbound","conversationId":"5d0d331e-d2a8-4fb5-96f7-7021bef2a8ee"}`: "sha256=R6/5rYuMsrz0iymiZ/TjbViQqx8hche9rfHVYgIpbIs=",
	} {
		if got := sign("0123456789abcdef", []byte(body)); got != want {
			t.Errorf("%.30s: %s, want %s", body, got, want)
		}
	}
}
