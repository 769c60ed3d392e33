package dedup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

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
	for _, tc := range []struct {
		name string
		next caddyhttp.HandlerFunc
		want string // commit, release or doubt
	}{
		{"200", answer(200), "commit"},
		{"204", answer(204), "commit"},
		{"an implicit 200", func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, "x"); return err }, "commit"},
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
		{"no upstream", fail(caddyhttp.Error(503, nil)), "release"},
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
