package simulate

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// seen is one request as the receiver saw it.
type seen struct {
	body          []byte
	contentLength int64
	encoding      []string
	proto         string
	header        http.Header
	begun, ended  time.Time
	readErr       error
}

// receiver is a small hook: it takes events once, and refuses what is wrong.
type receiver struct {
	limit    int64
	deadline time.Duration

	mu   sync.Mutex
	keys map[[32]byte]bool
	all  []seen
}

// newReceiver starts a receiver on a real socket.
func newReceiver(t *testing.T) (*receiver, *httptest.Server) {
	t.Helper()
	r := &receiver{limit: DefaultMaxBody, deadline: 250 * time.Millisecond, keys: map[[32]byte]bool{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return r, server
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	begun := time.Now()
	_ = http.NewResponseController(w).SetReadDeadline(begun.Add(r.deadline))
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, r.limit))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, seen{
		body: body, contentLength: req.ContentLength, encoding: req.TransferEncoding, proto: req.Proto,
		header: req.Header.Clone(), begun: begun, ended: time.Now(), readErr: err,
	})
	if err != nil {
		status, code := http.StatusGatewayTimeout, "deadline_exceeded"
		if int64(len(body)) >= r.limit {
			status, code = http.StatusRequestEntityTooLarge, "body_too_large"
		}
		problemAnswer(w, status, code)
		return
	}
	if !wellFormed(body) {
		problemAnswer(w, http.StatusBadRequest, "invalid_json")
		return
	}
	key := sha256.Sum256(body)
	status, word := http.StatusAccepted, "accepted"
	if r.keys[key] {
		status, word = http.StatusOK, "duplicate"
	}
	r.keys[key] = true
	statusAnswer(w, status, word)
}

// wellFormed reports whether a body is one strict JSON object whose callOutcome
// is a string.
func wellFormed(body []byte) bool {
	if !jsontext.Value(body).IsValid() {
		return false
	}
	var event struct {
		CallOutcome *string `json:"callOutcome"`
	}
	return json.Unmarshal(body, &event) == nil && event.CallOutcome != nil
}

// requests returns what has arrived.
func (r *receiver) requests() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]seen(nil), r.all...)
}

func statusAnswer(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":%q}`, word)
}

func problemAnswer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":%d,"code":%q}`, status, code)
}

// mustRun runs the options, and fails the test where they are refused.
func mustRun(t *testing.T, o Options) *Report {
	t.Helper()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return report
}

// countOf adds up the answers of a kind with a status and a code.
func countOf(r *Report, kind Kind, status int, code string) int {
	n := 0
	for _, a := range r.Answers {
		if a.Sent == kind && a.Status == status && a.Code == code {
			n += a.Count
		}
	}
	return n
}

// decodeEvent reads a good event strictly enough for the tests.
func decodeEvent(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal(body, &event); err != nil {
		t.Fatalf("not a JSON object: %v", err)
	}
	return event
}
