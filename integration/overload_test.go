package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

const (
	// lastCall is when every answer must be there, with room for a busy machine.
	lastCall = 550 * time.Millisecond

	// serving is how long the upstream of these tests takes for each request,
	// one after the other: 50 a second.
	serving = 20 * time.Millisecond

	// offering is the time between two requests: ten times as many.
	offering = serving / 10
)

// slowly serves one request after the other.
func slowly(t *testing.T) (addr string) {
	t.Helper()
	turn := time.NewTicker(serving)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-turn.C: // in the order in which they came
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { upstream.Close(); turn.Stop() })
	return strings.TrimPrefix(upstream.URL, "http://")
}

// crowd is what became of many requests.
type crowd struct {
	mu      sync.Mutex
	answers map[string]int
	late    int
	slowest time.Duration
}

// flood sends so many requests, each at its time, whether those before it are
// answered or not.
func (s *server) flood(t *testing.T, client *http.Client, path string, n int) *crowd {
	t.Helper()
	c := &crowd{answers: make(map[string]int)}
	var wg sync.WaitGroup
	tick := time.NewTicker(offering)
	defer tick.Stop()
	for range n {
		<-tick.C
		wg.Go(func() {
			begin := time.Now()
			a, err := send(client, s.URL(path), strings.NewReader(payload("flood")))
			c.add(t, a, err, time.Since(begin))
		})
	}
	wg.Wait()
	return c
}

func (c *crowd) add(t *testing.T, a answer, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slowest = max(c.slowest, took); took > lastCall {
		c.late++
	}
	switch {
	case err != nil:
		t.Errorf("no answer: %v", err)
	case a.status < 300:
		c.answers["taken"]++
	case a.status != 503 && a.status != 504 || a.code() == "" || a.header.Get("Retry-After") == "":
		t.Errorf("got %d %s", a.status, a.raw)
	default:
		c.answers[a.code()]++
	}
}

func TestAtTenTimesTheCapacityEveryAnswerIsInTime(t *testing.T) {
	s := start(t, site(`	route /slow {
		fail_fast 500ms {
			name slow
		}
		webhook_validate
		reverse_proxy `+slowly(t)+`
	}
	handle_errors {
		webhook_problem
	}`))
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 512}}
	defer client.CloseIdleConnections()
	s.flood(t, client, "/slow", 500) // connections and pools are there from now on
	before := s.live()

	var c *crowd
	for range 4 { // a busy machine may be late a few times
		if c = s.flood(t, client, "/slow", 1500); c.late == 0 || t.Failed() {
			break
		}
		t.Logf("%d answers were late, the last after %s: %v", c.late, c.slowest, c.answers)
	}
	if c.late > 0 {
		t.Errorf("%d answers were late, the last after %s", c.late, c.slowest)
	}
	if c.answers["taken"] == 0 || c.answers["overloaded"] < 3*c.answers["taken"] {
		t.Errorf("the answers are %v", c.answers)
	}
	if grown := s.live() - before; grown > 8<<20 {
		t.Errorf("%.0f bytes of memory more than before", grown)
	}
	if metrics, err := s.AdminRead("/metrics"); err != nil || !strings.Contains(metrics, `hookgate_requests_shed_total{hook="slow",reason="budget"}`) {
		t.Errorf("what was shed is not counted: %v", err)
	}
	eventually(t, 30*time.Second, "afterwards requests pass", func() bool {
		a, err := send(client, s.URL("/slow"), strings.NewReader(payload("after")))
		return err == nil && a.status == http.StatusNoContent
	})
}

// live returns what a program's heap holds after a garbage collection, in bytes.
func (s *server) live() float64 {
	s.t.Helper()
	if _, err := s.AdminRead("/debug/pprof/heap?gc=1"); err != nil {
		s.t.Fatal(err)
	}
	metrics, err := s.AdminRead("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(line, "go_memstats_heap_alloc_bytes "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatal("the heap is in no metric")
	return 0
}

// A request that is shed is answered whether its body comes or not.
func TestTheBodyOfARequestThatIsShedIsNotWaitedFor(t *testing.T) {
	s := start(t, site(patientHook("max_in_flight 1")))
	eventually(t, 30*time.Second, "a second request is shed", func() bool {
		s.dial().write(head("Content-Length: 100\r\n")) // holds the place
		w := s.dial()
		begin := time.Now()
		w.write(head("Content-Length: 60000\r\n") + "{")
		a := w.read()
		if a.code() == "overloaded" && time.Since(begin) > soon { // the budget is 5 s
			t.Errorf("answered after %s", time.Since(begin))
		}
		return a.code() == "overloaded"
	})
}

func TestAnAddressThatIsRefusedTooOftenStillGetsItsGoodRequestsThrough(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("right"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, site(patientHook("auth header X-Token {file."+token+"}", "max_refused 1/s")))
	ask := func(id, secret string) answer { return s.post(payload(id), "X-Token", secret) }
	edge.Eventually(t, 30*time.Second, "there are too many", func() bool {
		a := ask("bad", "wrong")
		if a.status != 401 && a.status != 429 {
			t.Fatalf("got %d %s", a.status, a.raw)
		}
		return a.status == 429
	})
	for i := range 20 {
		if a := ask(fmt.Sprint("good", i), "right"); a.status != 202 {
			t.Errorf("a good request: %d %s", a.status, a.raw)
		}
	}
	var last answer
	for range 5 { // one of them may have a refusal to its credit meanwhile
		if last = ask("bad", "wrong"); last.status == 429 {
			break
		}
	}
	if last.status != 429 || last.code() != "too_many_refused" || last.header.Get("Retry-After") == "" {
		t.Errorf("a bad one: %d %s", last.status, last.raw)
	}
	if detail, _ := last.body["detail"].(string); !strings.Contains(detail, "unauthorized") {
		t.Errorf("it does not say why: %s", last.raw)
	}
	checkShape(t, last)
	if q := s.queue(); q.Ready != 20 {
		t.Errorf("%d events", q.Ready)
	}
}
