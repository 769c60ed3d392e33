package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// upstream is a handler that somebody runs already, behind webhook_dedup. It
// does what the request's X-Do says, and counts the requests that it took, by
// their Idempotency-Key.
type upstream struct {
	addr string

	mu    sync.Mutex
	taken map[string]int
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{addr: l.Addr().String(), taken: map[string]int{}}
	srv := &http.Server{Handler: u, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close() })
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if !bytes.Equal(body, []byte(`{"n":1}`)) {
		http.Error(w, "the body is not what was sent", http.StatusTeapot)
		return
	}
	u.mu.Lock()
	u.taken[r.Header.Get("Idempotency-Key")]++
	n := u.taken[r.Header.Get("Idempotency-Key")]
	u.mu.Unlock()
	what := r.Header.Get("X-Do")
	if what, rest, once := strings.Cut(what, " once"); once && rest == "" {
		if n > 1 {
			what = "201"
		}
		u.act(w, r, what)
		return
	}
	u.act(w, r, what)
}

func (u *upstream) act(w http.ResponseWriter, r *http.Request, what string) {
	switch what {
	case "hang":
		<-r.Context().Done()
	case "slow":
		timer := time.NewTimer(1500 * time.Millisecond)
		<-timer.C
		w.WriteHeader(http.StatusOK)
	case "30s":
		timer := time.NewTimer(30 * time.Second)
		<-timer.C
		w.WriteHeader(http.StatusOK)
	case "reset":
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	default:
		var status int
		_, _ = fmt.Sscan(what, &status)
		w.WriteHeader(status)
		fmt.Fprintf(w, "upstream says %d", status)
	}
}

func (u *upstream) times(id string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.taken[id]
}

const filterPath = "/filter"

func filter(upstream, budget string) string {
	failFast := ""
	if budget != "" {
		failFast = "fail_fast " + budget
	}
	return fmt.Sprintf(`	@post {
		method POST
		path %s
	}
	route @post {
		%s
		webhook_validate {
			event_id header Idempotency-Key
		}
		webhook_dedup
		reverse_proxy %s
	}
	handle_errors {
		webhook_problem
	}`, filterPath, failFast, upstream)
}

func (s *server) ask(id, what string) answer {
	s.t.Helper()
	a, err := send(httpClient, s.URL(filterPath), strings.NewReader(`{"n":1}`), "Idempotency-Key", id, "X-Do", what)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// settled asks until the ID is not in flight any more: an answer may be out
// before what comes of it is kept.
func (s *server) settled(id, what string) (a answer) {
	s.t.Helper()
	eventually(s.t, 30*time.Second, "the ID is settled", func() bool {
		a = s.ask(id, what)
		return a.code() != "in_flight"
	})
	return a
}

func TestTheUpstreamsAnswerDecides(t *testing.T) {
	up := newUpstream(t)
	s := start(t, site(filter(up.addr, "3s")))
	for _, tc := range []struct {
		name, what string
		first      int
		firstCode  string
		second     int
		secondCode string
		times      int
	}{
		{"2xx is remembered", "201", 201, "", 200, "duplicate", 1},
		{"4xx frees the ID", "422 once", 422, "", 201, "", 2},
		{"5xx frees the ID", "500 once", 500, "", 201, "", 2},
		{"a hanging upstream is in doubt", "hang", 504, "outcome_unknown", 503, "in_flight", 1},
		{"a reset after the request was sent is in doubt", "reset", 503, "outcome_unknown", 503, "in_flight", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id := strings.ReplaceAll(tc.name, " ", "-")
			if a := s.ask(id, tc.what); a.status != tc.first || a.code() != tc.firstCode {
				t.Errorf("first: got %d %s, want %d %s", a.status, a.raw, tc.first, tc.firstCode)
			}
			second := s.settled
			if tc.secondCode == "in_flight" {
				second = s.ask
			}
			a := second(id, tc.what)
			if a.status != tc.second || a.code() != tc.secondCode {
				t.Errorf("second: got %d %s, want %d %s", a.status, a.raw, tc.second, tc.secondCode)
			}
			if a.code() == "duplicate" && a.header.Get("Idempotent-Replayed") != "true" {
				t.Error("a duplicate without Idempotent-Replayed")
			}
			if n := up.times(id); n != tc.times {
				t.Errorf("the upstream took it %d times, want %d", n, tc.times)
			}
		})
	}
}

func TestARefusedConnectionFreesTheID(t *testing.T) {
	const nobody = "127.0.0.1:1" // a privileged port: no test can have it
	s := start(t, site(filter(nobody, "5s")))
	for range 3 { // each is tried anew: none stays in flight
		if a := s.settled("dial", "201"); a.status != 502 {
			t.Errorf("got %d %s", a.status, a.raw)
		}
	}
}

func TestAnIDInDoubtIsFreeWhenItsLeaseHasRunOut(t *testing.T) {
	up := newUpstream(t)
	s := start(t, site(filter(up.addr, "5s")))
	first := s.ask("doubt", "reset once")
	if first.code() != "outcome_unknown" || first.header.Get("Retry-After") != "3" {
		t.Fatalf("got %d %s, Retry-After %s", first.status, first.raw, first.header.Get("Retry-After"))
	}
	eventually(t, 30*time.Second, "the ID is free", func() bool { return s.ask("doubt", "201").status == 201 })
	if n := up.times("doubt"); n != 2 {
		t.Errorf("the upstream took it %d times, want 2: it was in doubt", n)
	}
}

func TestManyAtOnceReachTheUpstreamOnce(t *testing.T) {
	up := newUpstream(t)
	s := start(t, site(filter(up.addr, "5s")))
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[string]int{}
	)
	for range 64 {
		wg.Go(func() {
			a, err := send(httpClient, s.URL(filterPath), strings.NewReader(`{"n":1}`), "Idempotency-Key", "many", "X-Do", "slow")
			mu.Lock()
			defer mu.Unlock()
			seen[fmt.Sprintf("%d%s%v", a.status, a.code(), err)]++
		})
	}
	wg.Wait()
	// One that comes when the work is done is a duplicate.
	if up.times("many") != 1 || seen["200<nil>"] != 1 || seen["503in_flight<nil>"]+seen["200duplicate<nil>"] != 63 {
		t.Errorf("the upstream took it %d times; answers %v", up.times("many"), seen)
	}
	if a := s.settled("many", "slow"); a.code() != "duplicate" {
		t.Errorf("afterwards: %d %s", a.status, a.raw)
	}
}

// The lease of 2 s is renewed while the upstream works.
func TestAnUpstreamThatTakes30SecondsRunsOnce(t *testing.T) {
	up := newUpstream(t)
	s := start(t, site(filter(up.addr, "")))
	result := make(chan answer, 1)
	go func() {
		a, err := send(&http.Client{}, s.URL(filterPath), strings.NewReader(`{"n":1}`), "Idempotency-Key", "long", "X-Do", "30s")
		if err != nil {
			t.Error(err)
		}
		result <- a
	}()
	eventually(t, 30*time.Second, "the upstream has it", func() bool { return up.times("long") == 1 })
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case a := <-result:
			if a.status != 200 || up.times("long") != 1 {
				t.Errorf("got %d, taken %d times", a.status, up.times("long"))
			}
			if a := s.settled("long", "30s"); a.code() != "duplicate" {
				t.Errorf("afterwards: %d %s", a.status, a.raw)
			}
			return
		case <-tick.C:
			if a := s.ask("long", "30s"); a.code() != "in_flight" && a.code() != "duplicate" {
				t.Fatalf("meanwhile: %d %s", a.status, a.raw)
			}
		}
	}
}

func TestASenderThatHangsUpDoesNotUndoTheWork(t *testing.T) {
	up := newUpstream(t)
	s := start(t, site(filter(up.addr, "5s")))
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL(filterPath), strings.NewReader(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "gone")
	req.Header.Set("X-Do", "slow")
	result := make(chan error, 1)
	go func() {
		_, err := do(httpClient, req)
		result <- err
	}()
	eventually(t, 30*time.Second, "the upstream has it", func() bool { return up.times("gone") == 1 })
	hangUp()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("the sender had its answer before it hung up: %v", err)
	}
	eventually(t, 30*time.Second, "its second attempt is a duplicate", func() bool { return s.ask("gone", "slow").code() == "duplicate" })
	if n := up.times("gone"); n != 1 {
		t.Errorf("the upstream took it %d times", n)
	}
}

// Its end of input comes with the request, before the claim is made.
func TestTheWorkIsDoneThoughItsSenderHasClosedItsHalf(t *testing.T) {
	up := newUpstream(t)
	s := start(t, site(filter(up.addr, "5s")))
	for i := range 20 {
		id := fmt.Sprint("half", i)
		w := s.dial()
		w.write("POST " + filterPath + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
			"Idempotency-Key: " + id + "\r\nX-Do: 200\r\nContent-Length: 7\r\n\r\n" + `{"n":1}`)
		if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if a := w.read(); a.status != 200 || up.times(id) != 1 {
			t.Errorf("got %d %s, taken %d times", a.status, a.raw, up.times(id))
		}
	}
}

func TestTheSameIDWithAnotherBodyIsAConflict(t *testing.T) {
	up := newUpstream(t)
	s := start(t, site(filter(up.addr, "5s")))
	if a := s.ask("conflict", "200"); a.status != 200 {
		t.Fatal(a.raw)
	}
	var (
		a   answer
		err error
	)
	eventually(t, 30*time.Second, "the ID is settled", func() bool {
		a, err = send(httpClient, s.URL(filterPath), strings.NewReader(`{"n":2}`), "Idempotency-Key", "conflict", "X-Do", "200")
		return err != nil || a.code() != "in_flight"
	})
	if err != nil || a.status != 409 || a.code() != "conflict" {
		t.Errorf("got %d %s %v", a.status, a.raw, err)
	}
}

func TestTheFilterNeedsAnIDAndAnswer(t *testing.T) {
	s := start(t, site(`	route /filter {
		webhook_validate {
			event_id header Idempotency-Key
		}
		webhook_dedup
		header X-Nobody answers
	}
	handle_errors {
		webhook_problem
	}`))
	if a := s.ask("", "200"); a.status != 400 || a.code() != "missing_event_id" {
		t.Errorf("without an ID: %d %s", a.status, a.raw)
	}
	for range 2 {
		a, err := send(httpClient, s.URL(filterPath), strings.NewReader(`{}`), "Idempotency-Key", "x")
		if err != nil || a.status == 202 {
			t.Errorf("a chain that answers nothing: %d %s %v", a.status, a.raw, err)
		}
	}
}

// Routes without a name have nothing in common but the store.
func TestTheSameIDOnAnotherRouteIsAnotherEvent(t *testing.T) {
	up := newUpstream(t)
	const body = `{"n":1}`
	route := func(name string) string {
		return fmt.Sprintf(`
		webhook_validate {
			%s
			event_id header Idempotency-Key
		}
		webhook_dedup
		reverse_proxy %s
	`, name, up.addr)
	}
	s := start(t, site(`	route /a {`+route("")+`}
	route /b {`+route("")+`}
	handle_path /x/* {
		route {`+route("")+`}
	}
	handle_path /y/* {
		route {`+route("")+`}
	}
	route /n {`+route("name one")+`}
	route /m {`+route("name one")+`}
	handle_errors {
		webhook_problem
	}`))
	ask := func(id, method, path, host string) answer {
		t.Helper()
		req, err := http.NewRequest(method, s.URL(path), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", id)
		req.Header.Set("X-Do", "201")
		req.Host = host
		a, err := do(httpClient, req)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for i, tc := range []struct{ method, path, host string }{
		{"POST", "/a", ""},
		{"POST", "/b", ""},
		{"PUT", "/a", ""},
		{"POST", "/x/same", ""},
		{"POST", "/y/same", ""},
		{"POST", "/a", "other.example"},
	} {
		if a := ask("shared", tc.method, tc.path, tc.host); a.status != 201 {
			t.Errorf("%v: %d %s", tc, a.status, a.raw)
		}
		if a := ask("shared", tc.method, tc.path, tc.host); a.code() != "duplicate" {
			t.Errorf("%v again: %d %s", tc, a.status, a.raw)
		}
		if n := up.times("shared"); n != i+1 {
			t.Errorf("%v: the upstream took %d, want %d", tc, n, i+1)
		}
	}
	if a := ask("named", "POST", "/n", ""); a.status != 201 {
		t.Errorf("with a name: %d %s", a.status, a.raw)
	}
	if a := ask("named", "POST", "/m", ""); a.code() != "duplicate" || up.times("named") != 1 {
		t.Errorf("another route of the same name: %d %s", a.status, a.raw)
	}
}

// To keep an event for a person needs webhook_publish. An upstream must not get
// what does not meet the contract, least of all without a claim.
func TestAnEventToBeParkedIsNotPassedOn(t *testing.T) {
	up := newUpstream(t)
	s := start(t, site(fmt.Sprintf(`	route %s {
		webhook_validate {
			contract pe-action-map
			event_id header Idempotency-Key
			on_contract_violation park
		}
		webhook_dedup
		reverse_proxy %s
	}
	handle_errors {
		webhook_problem
	}`, filterPath, up.addr)))
	for range 2 {
		a := s.ask("invalid", "201")
		if a.status != 503 || a.code() != "misconfigured" || !strings.Contains(a.raw, "on_contract_violation") {
			t.Errorf("got %d %s", a.status, a.raw)
		}
	}
	if n := up.times("invalid"); n != 0 {
		t.Errorf("the upstream took it %d times", n)
	}
}
