package integration

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// behind puts directives behind webhook_dedup.
func behind(directives string) string {
	return site(fmt.Sprintf(`	route %s {
		webhook_validate {
			event_id header Idempotency-Key
		}
		webhook_dedup
		%s
	}
	handle_errors {
		webhook_problem
	}`, filterPath, directives))
}

// In each the upstream took the request, and the sender has no answer of it.
func TestWhatWasSentOnAndThenFailedIsInDoubt(t *testing.T) {
	const nobody = "127.0.0.1:1"
	for _, tc := range []struct {
		name, what string
		directives string // $UP is the upstream
		first      int
	}{
		{"a fail_fast of its own ran out", "hang", `fail_fast 300ms
			reverse_proxy $UP`, 504},
		{"the first attempt was reset, the second found nobody", "reset", `reverse_proxy $UP ` + nobody + ` {
				lb_policy first
				lb_retries 1
				lb_retry_match method POST
				fail_duration 10s
			}`, 503},
		{"the route for its answer failed", "200", `reverse_proxy $UP {
				@ok status 200
				handle_response @ok {
					error "no" 500
				}
			}`, 503},
		{"the route for its answer refused it", "200", `reverse_proxy $UP {
				@ok status 200
				handle_response @ok {
					error "no" 403
				}
			}`, 503},
		{"the answer to every attempt was to try again", "500", `reverse_proxy $UP {
				lb_retries 1
				lb_retry_match {
					expression ` + "`{rp.status_code} == 500`" + `
				}
			}`, 503},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t)
			s := start(t, behind(strings.ReplaceAll(tc.directives, "$UP", up.addr)))
			if a := s.ask("x", tc.what); a.status != tc.first || a.code() != "outcome_unknown" {
				t.Errorf("first: got %d %s, want %d outcome_unknown", a.status, a.raw, tc.first)
			}
			taken := up.times("x")
			if taken == 0 {
				t.Fatal("the upstream did not take it")
			}
			if a := s.ask("x", "201"); a.code() != "in_flight" {
				t.Errorf("second: got %d %s, want in_flight", a.status, a.raw)
			}
			if n := up.times("x"); n != taken {
				t.Errorf("the upstream took it %d times more", n-taken)
			}
		})
	}
}

// In each nothing was sent: the next attempt goes on at once, time after time.
func TestWhatWasNotSentOnFreesTheID(t *testing.T) {
	const nobody = "127.0.0.1:1"
	for _, tc := range []struct {
		name       string
		directives string
		want       []int
	}{
		{"nobody took the connection", `reverse_proxy ` + nobody, []int{502, 502, 502}},
		{"nobody took it in several attempts", `reverse_proxy ` + nobody + ` 127.0.0.1:2 {
				lb_retries 2
			}`, []int{502, 502, 502}},
		{"there was no upstream left", `reverse_proxy ` + nobody + ` {
				fail_duration 1m
			}`, []int{502, 503, 503}},
		{"a handler refused it", `error "no" 403`, []int{403, 403, 403}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, behind(tc.directives))
			for i, want := range tc.want {
				if a := s.ask("x", "201"); a.status != want || a.code() == "in_flight" || a.code() == "outcome_unknown" {
					t.Errorf("attempt %d: got %d %s, want %d", i+1, a.status, a.raw, want)
				}
			}
		})
	}
}

// Without a deadline reverse_proxy stops when its sender hangs up, and the
// upstream may have done its work.
func TestASenderThatHangsUpWithoutADeadlineLeavesDoubt(t *testing.T) {
	up := newUpstream(t)
	s := start(t, behind("reverse_proxy "+up.addr))
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL(filterPath), strings.NewReader(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Idempotency-Key": "gone", "X-Do": "hang once"} {
		req.Header.Set(name, value)
	}
	begin := time.Now()
	done := make(chan error, 1)
	go func() { _, err := do(httpClient, req); done <- err }()
	eventually(t, 5*time.Second, "the upstream has it", func() bool { return up.times("gone") == 1 })
	hangUp()
	if err := <-done; err == nil {
		t.Fatal("the sender got an answer")
	}
	eventually(t, 10*time.Second, "the ID is free", func() bool { return s.ask("gone", "hang once").status == 201 })
	if waited := time.Since(begin); waited < 2*time.Second {
		t.Errorf("the ID was free after %s: its lease is 2s", waited)
	}
}
