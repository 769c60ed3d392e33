package genesys_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

func TestACallIsMadeAgainWhereGenesysSaysSo(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault genesystest.Fault
		calls int
		fails bool
	}{
		{"429", genesystest.TooManyRequests(0), 3, false},
		{"502", genesystest.Failing(502), 3, false},
		{"503", genesystest.Failing(503), 3, false},
		{"504", genesystest.Failing(504), 3, false},
		{"500, not", genesystest.Failing(500), 1, true},
		{"400, not", genesystest.Failing(400), 1, true},
		{"403, not", genesystest.MissingPermission("a:b:c"), 1, true},
		{"an answer that breaks off, not", genesystest.Fault{Truncate: true}, 1, true},
		{"a connection that breaks, not", genesystest.Fault{Reset: true}, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := genesystest.Start(t, genesystest.Options{})
			a := api(t, s, genesystest.Roleless, func(o *genesys.Options) {
				o.Transport = &http.Transport{DisableKeepAlives: true} // net/http makes a broken call again on a kept connection
			})
			s.Misbehave(http.MethodGet, rangesPath, 2, tc.fault)
			_, err := a.IPRanges(t.Context())
			if (err != nil) != tc.fails {
				t.Errorf("got %v", err)
			}
			if n := len(s.Calls(http.MethodGet, rangesPath)); n != tc.calls {
				t.Errorf("%d calls were made", n)
			}
		})
	}
}

func TestTheNumberOfAttemptsIsBounded(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.Misbehave(http.MethodGet, rangesPath, -1, genesystest.Failing(503))
	_, err := api(t, s, genesystest.Roleless, func(o *genesys.Options) { o.Attempts = 3 }).IPRanges(t.Context())
	if e, ok := errors.AsType[*genesys.Error](err); !ok || e.Status != 503 {
		t.Errorf("got %v", err)
	}
	if n := len(s.Calls(http.MethodGet, rangesPath)); n != 3 {
		t.Errorf("%d calls were made", n)
	}
}

func TestATokenIsAskedForAgainToo(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.Misbehave(http.MethodPost, "/oauth/token", 2, genesystest.Failing(503))
	if _, err := api(t, s, genesystest.Roleless).IPRanges(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatMakesSomethingIsNotSentAgainWhereItMayHaveBeenDone(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Admin)
	s.Misbehave(http.MethodPost, "/api/v2/integrations", 1, genesystest.Fault{Status: 504, After: true})
	if _, err := a.CreateIntegration(t.Context(), "edge", genesys.WebServices); !genesys.Unclear(err) {
		t.Errorf("got %v", err)
	}
	if n := len(s.Org().Integrations); n != 1 {
		t.Errorf("there are %d integrations", n)
	}
	s.Misbehave(http.MethodPost, "/api/v2/integrations", 1, genesystest.TooManyRequests(0))
	if _, err := a.CreateIntegration(t.Context(), "edge 2", genesys.WebServices); err != nil {
		t.Error(err)
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Roleless)
	s.Misbehave(http.MethodGet, rangesPath, 1, genesystest.TooManyRequests(1))
	begin := time.Now()
	if _, err := a.IPRanges(t.Context()); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(begin); waited < time.Second {
		t.Errorf("waited %s", waited)
	}

	s.Misbehave(http.MethodGet, rangesPath, -1, genesystest.TooManyRequests(3600))
	_, err := a.IPRanges(t.Context())
	if e, ok := errors.AsType[*genesys.Error](err); !ok || e.RetryAfter != time.Hour || !strings.Contains(err.Error(), "try again in 1h0m0s") {
		t.Errorf("got %v", err)
	}
	if n := len(s.Calls(http.MethodGet, rangesPath)); n != 3 {
		t.Errorf("%d calls were made", n)
	}
}

func TestARetryAfterThatIsOverlongIsNotTakenForNone(t *testing.T) {
	// In nanoseconds, 9223372037 s are more than a time.Duration has.
	for _, seconds := range []int{9223372037, math.MaxInt} {
		s := genesystest.Start(t, genesystest.Options{})
		s.Misbehave(http.MethodGet, rangesPath, -1, genesystest.TooManyRequests(seconds))
		_, err := api(t, s, genesystest.Roleless).IPRanges(t.Context())
		if e, ok := errors.AsType[*genesys.Error](err); !ok || e.RetryAfter != 7*24*time.Hour {
			t.Errorf("%d: got %v", seconds, err)
		}
		if n := len(s.Calls(http.MethodGet, rangesPath)); n != 1 {
			t.Errorf("%d: %d calls were made", seconds, n)
		}
	}
}

func TestAnUsedUpRateLimitIsHeeded(t *testing.T) {
	used := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && r.URL.Path == rangesPath {
				resp.Header.Set("inin-ratelimit-count", "300")
				resp.Header.Set("inin-ratelimit-reset", "3600")
			}
			return resp, err
		})
	}
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Roleless, func(o *genesys.Options) { o.Transport = used(o.Transport) })
	if _, err := a.IPRanges(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := a.IPRanges(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(s.Calls(http.MethodGet, rangesPath)); n != 1 {
		t.Errorf("%d calls were made while the limit was used up", n)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAContextEndsACall(t *testing.T) {
	slow := genesystest.Fault{Delay: time.Minute}
	for name, spoil := range map[string]func(*genesystest.Server){
		"that is slow":              func(s *genesystest.Server) { s.Misbehave(http.MethodGet, rangesPath, -1, slow) },
		"whose token is slow":       func(s *genesystest.Server) { s.Misbehave(http.MethodPost, "/oauth/token", -1, slow) },
		"that is to be tried again": func(s *genesystest.Server) { s.Misbehave("", rangesPath, -1, genesystest.TooManyRequests(60)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := genesystest.Start(t, genesystest.Options{})
			spoil(s)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := api(t, s, genesystest.Roleless).IPRanges(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnAttemptIsBounded(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.Misbehave(http.MethodGet, rangesPath, -1, genesystest.Fault{Delay: time.Minute})
	a := api(t, s, genesystest.Roleless, func(o *genesys.Options) { o.Timeout = 200 * time.Millisecond })
	if _, err := a.IPRanges(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
