package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/hookgate/hookgate/hook"
)

// sendersFault are the codes that the sender has to mend. All others are ours,
// or pass by themselves, and must not be a 4xx: senders do not repeat those.
var sendersFault = map[hook.Code]bool{
	hook.CodeUnsupportedMediaType: true, hook.CodeInvalidJSON: true, hook.CodeMissingEventID: true,
	hook.CodeContractViolation: true, hook.CodeConflict: true, hook.CodeBodyTooLarge: true,
	hook.CodeMethodNotAllowed: true, hook.CodeForbidden: true, hook.CodeUnauthorized: true,
	hook.CodeStale: true, hook.CodeTooEarly: true, hook.CodeTooManyRefused: true,
}

func TestEveryCodeHasAnAnswerAndAParagraph(t *testing.T) {
	docs, err := os.ReadFile("../../docs/answers.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, a := range answers {
		if a.title == "" || a.detail == "" {
			t.Errorf("%s says nothing: %+v", code, a)
		}
		if ours := a.status >= 500; ours == sendersFault[code] {
			t.Errorf("%s is answered %d", code, a.status)
		}
		if (a.retryAfter > 0) != (a.status >= 500 || a.status == http.StatusTooManyRequests) {
			t.Errorf("%s is answered %d with Retry-After %s", code, a.status, a.retryAfter)
		}
		if !strings.Contains(string(docs), "\n### "+string(code)+"\n") {
			t.Errorf("docs/answers.md says nothing of %s", code)
		}
	}
}

// answered runs the handler on an error.
func answered(t *testing.T, err error, change func(*http.Request)) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	if change != nil {
		change(r)
	}
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.ErrorCtxKey, err))
	if err := new(Handler).ServeHTTP(w, r, nil); err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	return w, body
}

func TestErrorsAreAnswered(t *testing.T) {
	doubt := &hook.InDoubt{Cause: context.DeadlineExceeded}
	upstream := caddyhttp.Error(http.StatusBadGateway, errors.New("reset"))
	for _, tc := range []struct {
		name   string
		err    error
		status int
		code   any
	}{
		{"an error of ours", Error(&hook.Error{Code: hook.CodeInFlight}), 503, "in_flight"},
		{"wrapped once more", fmt.Errorf("x: %w", &hook.Error{Code: hook.CodeInvalidJSON}), 400, "invalid_json"},
		{"a bare sentinel of the queue", Error(hook.ErrUnavailable), 503, "queue_unavailable"},
		{"doubt after the deadline", Error(&hook.Error{Code: hook.CodeOutcomeUnknown, Err: doubt}), 504, "outcome_unknown"},
		{"doubt after a lost connection", Error(&hook.Error{Code: hook.CodeOutcomeUnknown, Err: &hook.InDoubt{Cause: upstream}}), 503, "outcome_unknown"},
		{"a refusal of Caddy's own", caddyhttp.Error(http.StatusForbidden, nil), 403, "forbidden"},
		{"a method", caddyhttp.Error(http.StatusMethodNotAllowed, nil), 405, "method_not_allowed"},
		{"a bad gateway", upstream, 502, "outcome_unknown"},
		{"a gateway that timed out", caddyhttp.Error(http.StatusGatewayTimeout, context.DeadlineExceeded), 504, "outcome_unknown"},
		{"an upstream that is not there", caddyhttp.Error(http.StatusBadGateway, reverseproxy.DialError{}), 502, "queue_unavailable"},
		{"no upstream to try", caddyhttp.Error(http.StatusServiceUnavailable, errors.New("no upstreams")), 503, "queue_unavailable"},
		{"a limit of another module", caddyhttp.Error(http.StatusTooManyRequests, nil), 429, "overloaded"},
		{"a server error without a code of its own", caddyhttp.Error(http.StatusNotImplemented, nil), 501, "internal"},
		{"a status without a code", caddyhttp.Error(http.StatusNotFound, nil), 404, nil},
		{"no status", caddyhttp.Error(0, errors.New("x")), 500, "internal"},
		{"something unknown", errors.New("secret detail"), 500, "internal"},
		{"nothing", nil, 503, "misconfigured"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, body := answered(t, tc.err, nil)
			if w.Code != tc.status || body["code"] != tc.code || body["status"] != float64(tc.status) {
				t.Errorf("got %d %v, want %d %v", w.Code, body, tc.status, tc.code)
			}
			for _, member := range []string{"type", "title", "detail", "instance", "error"} {
				if s, _ := body[member].(string); s == "" {
					t.Errorf("no %s in %v", member, body)
				}
			}
			if tc.status >= 500 && w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "reset") {
				t.Errorf("the cause is told: %s", w.Body)
			}
		})
	}
}

func TestHeadersBelongToTheirCodes(t *testing.T) {
	w, _ := answered(t, &hook.Error{Code: hook.CodeOutcomeUnknown, RetryAfter: 2500 * time.Millisecond}, nil)
	if got := w.Header().Get("Retry-After"); got != "3" {
		t.Errorf("Retry-After is %q", got)
	}
	if w, _ := answered(t, &hook.Error{Code: hook.CodeUnauthorized, Challenge: `X realm="y"`}, nil); w.Header().Get("WWW-Authenticate") != `X realm="y"` {
		t.Error("the challenge is lost")
	}
	for name, tc := range map[string]struct {
		change func(*http.Request)
		want   string
	}{
		"on HTTP/1":          {nil, "close"},
		"on HTTP/2":          {func(r *http.Request) { r.ProtoMajor = 2 }, ""},
		"to a trusted proxy": {func(r *http.Request) { caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true) }, ""},
	} {
		for _, code := range []hook.Code{hook.CodeForbidden, hook.CodeTooManyRefused} {
			if w, _ := answered(t, &hook.Error{Code: code}, tc.change); w.Header().Get("Connection") != tc.want {
				t.Errorf("%s %s: Connection is %q", code, name, w.Header().Get("Connection"))
			}
		}
	}
}

type observer struct {
	codes []hook.Code
}

func (o *observer) Refused(_ *http.Request, code hook.Code, _ int, _ error) {
	o.codes = append(o.codes, code)
}

func TestTheObserverIsTold(t *testing.T) {
	o := new(observer)
	answered(t, &hook.Error{Code: hook.CodeStale}, func(r *http.Request) { caddyhttp.SetVar(r.Context(), ObserverVar, o) })
	if len(o.codes) != 1 || o.codes[0] != hook.CodeStale {
		t.Errorf("it was told %v", o.codes)
	}
}
