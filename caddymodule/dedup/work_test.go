package dedup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/hook"
)

func TestTheAnswerOfTheWorkDecides(t *testing.T) {
	answer := func(status int) caddyhttp.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(status); return nil }
	}
	fail := func(err error) caddyhttp.HandlerFunc {
		return func(http.ResponseWriter, *http.Request) error { return err }
	}
	// using fails after what a transport reports of its connections.
	using := func(reports string, err error) caddyhttp.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) error {
			trace := httptrace.ContextClientTrace(r.Context())
			for report := range strings.FieldsSeq(reports) {
				if report == "used" {
					trace.GotConn(httptrace.GotConnInfo{})
				} else {
					trace.GetConn("127.0.0.1:1")
				}
			}
			return err
		}
	}
	for _, tc := range []struct {
		name string
		next caddyhttp.HandlerFunc
		want string // commit, release or doubt
	}{
		{"200", answer(200), "commit"},
		{"204", answer(204), "commit"},
		{"an implicit 200", func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, "x"); return err }, "commit"},
		{"a 200 by flushing", func(w http.ResponseWriter, _ *http.Request) error { return http.NewResponseController(w).Flush() }, "commit"},
		{"302", answer(302), "release"},
		{"404", answer(404), "release"},
		{"500", answer(500), "release"},
		{"early hints and then 200", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(103)
			w.WriteHeader(200)
			return nil
		}, "commit"},
		{"2xx and then a broken body", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			return io.ErrUnexpectedEOF
		}, "commit"},
		{"2xx and then an abort", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		}, "commit"},
		{"no answer", fail(nil), "release"},
		{"a refusal before", fail(caddyhttp.Error(413, nil)), "release"},
		{"no upstream", fail(caddyhttp.Error(503, errors.New(noUpstream))), "release"},
		{"an unavailable something", fail(caddyhttp.Error(503, errors.New("x"))), "doubt"},
		{"an error of a route", fail(caddyhttp.Error(500, errors.New("x"))), "doubt"},
		{"nobody to connect to", using("asked", reverseproxy.NewDialError(errors.New("refused"))), "release"},
		{"nobody to connect to, by a transport that reports nothing", fail(reverseproxy.NewDialError(errors.New("refused"))), "doubt"},
		{"nobody to connect to in the second attempt", using("asked used asked", reverseproxy.NewDialError(errors.New("refused"))), "doubt"},
		{"a deadline while connecting", using("asked", fmt.Errorf("%w: %w", context.DeadlineExceeded, reverseproxy.NewDialError(errors.New("refused")))), "release"},
		{"a deadline", fail(problem.Error(&hook.Error{Code: hook.CodeDeadlineExceeded})), "doubt"},
		{"something of ours", fail(problem.Error(&hook.Error{Code: hook.CodeInternal})), "doubt"},
		{"a refusal after the request was sent on", using("asked used", caddyhttp.Error(413, nil)), "doubt"},
		{"a refusal of the queue after the request was sent on", using("asked used", problem.Error(hook.ErrUnavailable)), "doubt"},
		{"no answer after the request was sent on", using("asked used", nil), "doubt"},
		{"a client that is gone, answered by reverse_proxy", answer(499), "doubt"},
		{"a queue that is not there", fail(problem.Error(hook.ErrUnavailable)), "release"},
		{"a refusal of the queue", fail(problem.Error(&hook.Error{Code: hook.CodeQueueUnavailable})), "release"},
		{"a bad gateway", fail(caddyhttp.Error(502, io.EOF)), "doubt"},
		{"a gateway timeout", fail(caddyhttp.Error(504, context.DeadlineExceeded)), "doubt"},
		{"a client that is gone", fail(caddyhttp.Error(499, context.Canceled)), "doubt"},
		{"doubt of the queue", fail(problem.Error(&hook.Error{Code: hook.CodeOutcomeUnknown, Err: &hook.InDoubt{}})), "doubt"},
		{"something unknown", fail(errors.New("x")), "doubt"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := &work{
				w: httptest.NewRecorder(), r: httptest.NewRequest(http.MethodPost, "/", nil),
				next: tc.next, state: new(request.State),
			}
			err := k.run(t.Context())
			got := "release"
			if err == nil {
				got = "commit"
			} else if _, ok := errors.AsType[*hook.InDoubt](err); ok {
				got = "doubt"
			}
			if got != tc.want {
				t.Errorf("got %s (%v), want %s", got, err, tc.want)
			}
			if !k.state.Claimed {
				t.Error("what follows is not told of the claim")
			}
		})
	}
}

func TestAPanicIsNotSwallowed(t *testing.T) {
	for name, before := range map[string]int{"before the answer": 0, "after a 2xx": 200} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); fmt.Sprint(p) != "boom" {
					t.Errorf("recovered %v", p)
				}
			}()
			k := &work{
				w: httptest.NewRecorder(), r: httptest.NewRequest(http.MethodPost, "/", nil), state: new(request.State),
				next: caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
					if before > 0 {
						w.WriteHeader(before)
					}
					panic("boom")
				}),
			}
			_ = k.run(t.Context())
			t.Error("it returned")
		})
	}
}

func TestWorkOutlivesItsSenderUpToTheDeadline(t *testing.T) {
	ctx, hangUp := context.WithTimeout(t.Context(), time.Minute)
	work, cancel := detach(ctx)
	defer cancel()
	hangUp()
	if work.Err() != nil {
		t.Error("the work ends with its sender")
	}
	if d, ok := work.Deadline(); !ok || time.Until(d) > time.Minute {
		t.Error("the deadline is lost")
	}
	ctx, hangUp = context.WithCancel(t.Context())
	work, cancel = detach(ctx)
	defer cancel()
	hangUp()
	if work.Err() == nil {
		t.Error("without a deadline nothing ends the work")
	}
}
