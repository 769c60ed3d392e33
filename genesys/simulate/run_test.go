package simulate

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryKindArrivesAsItIsCalled(t *testing.T) {
	r, server := newReceiver(t)
	report := mustRun(t, Options{
		URL: server.URL + "/hook", Count: 100, Concurrency: 16, Seed: 5,
		Malformed: 0.2, Oversized: 0.1, Slow: 0.1, Chunked: 0.5, Deadline: 2 * time.Second,
	})
	if !report.OK() {
		t.Fatalf("%s\nnotes: %s", report.Verdict(), strings.Join(report.Notes(), "\n"))
	}
	want := []Answers{
		{Sent: Good, Status: 202, Code: "accepted", Count: 60, Share: 1},
		{Sent: Malformed, Status: 400, Code: "invalid_json", Count: 20, Share: 1},
		{Sent: Oversized, Status: 413, Code: "body_too_large", Count: 10, Share: 1},
		{Sent: Slow, Status: 504, Code: "deadline_exceeded", Count: 10, Share: 1},
	}
	if diff := cmp.Diff(want, report.Answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if got := len(r.requests()); got != 100 || report.Requests != 100 || report.Events != 100 {
		t.Errorf("%d requests arrived, %d and %d reported", got, report.Requests, report.Events)
	}
	chunked, declared := 0, 0
	for _, s := range r.requests() {
		if s.header.Get("Content-Type") != "application/json" || s.proto != "HTTP/1.1" {
			t.Fatalf("content type %q over %s", s.header.Get("Content-Type"), s.proto)
		}
		switch {
		case s.contentLength == -1 && slices.Equal(s.encoding, []string{"chunked"}):
			chunked++
		case s.contentLength > 0 && len(s.encoding) == 0:
			declared++
		default:
			t.Fatalf("length %d with encoding %v", s.contentLength, s.encoding)
		}
	}
	if chunked < 25 || declared < 25 {
		t.Errorf("%d chunked and %d declared, want about half each", chunked, declared)
	}
}

func TestChunkedIsAllOrNothingAtItsEnds(t *testing.T) {
	for name, test := range map[string]struct {
		share float64
		want  bool
	}{
		"a share of 1 sends no Content-Length": {share: 1, want: true},
		"a share of 0 sends a Content-Length":  {share: 0, want: false},
	} {
		t.Run(name, func(t *testing.T) {
			r, server := newReceiver(t)
			mustRun(t, Options{
				URL: server.URL, Count: 8, Slow: 0.25, Oversized: 0.25,
				Chunked: test.share, Deadline: 2 * time.Second,
			})
			for _, s := range r.requests() {
				if got := s.contentLength == -1 && len(s.encoding) == 1; got != test.want {
					t.Errorf("chunked is %v: length %d, encoding %v", got, s.contentLength, s.encoding)
				}
			}
		})
	}
}

func TestDuplicatesAreTheSameBytesAfterTheAnswer(t *testing.T) {
	r, server := newReceiver(t)
	report := mustRun(t, Options{URL: server.URL, Count: 40, Duplicates: 0.5})
	if got := countOf(report, Duplicate, 200, "duplicate"); got != 20 {
		t.Errorf("%d duplicates were answered as such, want 20", got)
	}
	if report.Requests != 60 || report.Events != 40 || len(report.Notes()) != 0 {
		t.Errorf("%d requests for %d events, notes %q", report.Requests, report.Events, report.Notes())
	}
	byID := map[any][]seen{}
	for _, s := range r.requests() {
		id := decodeEvent(t, s.body)["webhookEventId"]
		byID[id] = append(byID[id], s)
	}
	pairs := 0
	for _, copies := range byID {
		if len(copies) == 1 {
			continue
		}
		pairs++
		if !bytes.Equal(copies[0].body, copies[1].body) {
			t.Error("a duplicate has other bytes")
		}
		if copies[1].begun.Before(copies[0].ended) {
			t.Error("a duplicate was sent before the first was answered")
		}
	}
	if pairs != 20 {
		t.Errorf("%d pairs, want 20", pairs)
	}
}

func TestInFlightCopiesOverlap(t *testing.T) {
	var mu sync.Mutex
	waiting := map[string]chan struct{}{}
	alone := atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		mu.Lock()
		met, second := waiting[body.String()]
		if second {
			close(met)
		} else {
			met = make(chan struct{})
			waiting[body.String()] = met
		}
		mu.Unlock()
		if second {
			statusAnswer(w, 200, "duplicate")
			return
		}
		select {
		case <-met: // the other copy came while this one was unanswered
			statusAnswer(w, 202, "accepted")
		case <-time.After(5 * time.Second):
			alone.Add(1)
			problemAnswer(w, 503, "in_flight")
		}
	}))
	defer server.Close()
	report := mustRun(t, Options{URL: server.URL, Count: 20, InFlight: 1, Concurrency: 4, Deadline: 6 * time.Second})
	if alone.Load() != 0 || report.Requests != 40 {
		t.Errorf("%d copies were alone, of %d", alone.Load(), report.Requests)
	}
	if len(report.Unexpected()) != 0 || !report.OK() {
		t.Errorf("%s, unexpected %v", report.Verdict(), report.Unexpected())
	}
}

func TestSignatureAndHeaderFieldsAreSent(t *testing.T) {
	r, server := newReceiver(t)
	mustRun(t, Options{
		URL: server.URL, Count: 12, Malformed: 0.25, Oversized: 0.25, Chunked: 0.5, HMAC: "s3cret", MaxBody: 1000,
		Header: http.Header{"X-Edge-Token": {"a"}, "Content-Type": {"text/plain"}},
	})
	for _, s := range r.requests() {
		mac := hmac.New(sha256.New, []byte("s3cret"))
		mac.Write(s.body)
		want := "sha256=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if got := s.header.Get("X-Hub-Signature-256"); s.readErr == nil && got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		if s.header.Get("X-Edge-Token") != "a" || s.header.Get("Content-Type") != "text/plain" {
			t.Errorf("header %v", s.header)
		}
	}
}

func TestRateIsHeld(t *testing.T) {
	r, server := newReceiver(t)
	report := mustRun(t, Options{URL: server.URL, Count: 60, Rate: 100})
	if report.Sending < 500*time.Millisecond || report.Sending > 3*time.Second {
		t.Errorf("60 events at 100/s took %v", report.Sending)
	}
	all := r.requests()
	if first, last := all[0].begun, all[len(all)-1].begun; last.Sub(first) < 400*time.Millisecond {
		t.Errorf("the events arrived within %v", last.Sub(first))
	}
}

func TestDurationEndsARun(t *testing.T) {
	_, server := newReceiver(t)
	report := mustRun(t, Options{URL: server.URL, Duration: 300 * time.Millisecond, Rate: 100})
	if report.Events < 5 || report.Events > 31 || report.Interrupted || !report.OK() {
		t.Errorf("%d events, interrupted %v, %s", report.Events, report.Interrupted, report.Verdict())
	}
}

func TestOneSeedSendsTheSameEvents(t *testing.T) {
	ids := func() []string {
		r, server := newReceiver(t)
		mustRun(t, Options{URL: server.URL, Count: 30, Seed: 99})
		var ids []string
		for _, s := range r.requests() {
			id, _ := decodeEvent(t, s.body)["webhookEventId"].(string)
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return ids
	}
	if diff := cmp.Diff(ids(), ids()); diff != "" {
		t.Errorf("the same seed sent other events:\n%s", diff)
	}
}

func TestADrawnSeedIsReported(t *testing.T) {
	_, server := newReceiver(t)
	if report := mustRun(t, Options{URL: server.URL, Count: 1}); report.Seed == 0 {
		t.Error("the seed is 0")
	}
}

func TestStopWaitsForWhatIsInFlight(t *testing.T) {
	for name, test := range map[string]struct {
		answers   bool
		abandoned int
	}{
		"an answer within the grace counts":          {answers: true, abandoned: 0},
		"a request without one is given up after 2s": {answers: false, abandoned: 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // the server notices the end of a connection only after the body
				stop()
				if test.answers {
					statusAnswer(w, 202, "accepted")
					return
				}
				<-r.Context().Done()
			}))
			defer server.Close()
			begun := time.Now()
			report, err := Run(ctx, Options{URL: server.URL, Concurrency: 1})
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %v to stop", took)
			}
			if !report.Interrupted || report.Abandoned != test.abandoned || !report.OK() || report.Events > 2 {
				t.Errorf("interrupted %v, abandoned %d, %d events, %s", report.Interrupted, report.Abandoned, report.Events, report.Verdict())
			}
		})
	}
}
