package allowlist

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/hook"
)

func TestAPostOfAnAllowedSenderPasses(t *testing.T) {
	listed := &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{of("192.0.2.0/24")}}
	unready := of("192.0.2.0/24")
	unready.err = errors.New("no list yet")
	for _, tc := range []struct {
		name    string
		senders *MatchClientIPSource
		method  string
		client  string
		want    hook.Code // empty: it passes
	}{
		{"a POST from the list", listed, http.MethodPost, "192.0.2.1", ""},
		{"another method from the list", listed, http.MethodGet, "192.0.2.1", hook.CodeMethodNotAllowed},
		{"a method that only looks like it", listed, "post", "192.0.2.1", hook.CodeMethodNotAllowed},
		{"a POST of an outsider", listed, http.MethodPost, "203.0.113.1", hook.CodeForbidden},
		{"another method of an outsider, who does not learn of it", listed, http.MethodGet, "203.0.113.1", hook.CodeForbidden},
		{"a POST of nobody", listed, http.MethodPost, "", hook.CodeForbidden},
		{"a POST while there is no list", &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{unready}}, http.MethodPost, "192.0.2.1", hook.CodeAllowlistUnavailable},
		{"a POST where any address may send", nil, http.MethodPost, "203.0.113.1", ""},
		{"a POST of nobody where any address may send", nil, http.MethodPost, "", ""},
		{"another method where any address may send", nil, http.MethodPut, "203.0.113.1", hook.CodeMethodNotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := requestFrom(t, tc.client)
			r.Method = tc.method
			passed := false
			err := (&Handler{senders: tc.senders}).ServeHTTP(httptest.NewRecorder(), r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
				passed = true
				return nil
			}))
			if passed != (tc.want == "") || passed != (err == nil) {
				t.Fatalf("passed: %t, %v", passed, err)
			}
			if err == nil {
				return
			}
			if _, ok := errors.AsType[caddyhttp.HandlerError](err); !ok || hook.CodeOf(err) != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestEarlyDataIsRefusedWhoeverMaySend(t *testing.T) {
	for name, senders := range map[string]*MatchClientIPSource{
		"a list":      {sources: []caddyhttp.IPRangeSource{of("192.0.2.0/24")}},
		"any address": nil,
	} {
		t.Run(name, func(t *testing.T) {
			r := requestFrom(t, "192.0.2.1")
			r.TLS = new(tls.ConnectionState)
			err := (&Handler{senders: senders}).ServeHTTP(httptest.NewRecorder(), r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
				t.Error("it passes")
				return nil
			}))
			if hook.CodeOf(err) != hook.CodeTooEarly {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnEmptyListOfSourcesDoesNotAllowEverybody(t *testing.T) {
	for _, tc := range []struct{ config, want string }{
		{`{"sources":[]}`, "sources is empty"},
		{`{"sources":[{"source":"nowhere"}]}`, "unknown module"},
		{`{"sources":[` + private + `]}`, ""},
		{`{}`, ""},
	} {
		h := new(Handler)
		if err := json.Unmarshal([]byte(tc.config), h); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		err := h.Provision(ctx)
		cancel()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v", tc.config, err)
		}
		if anybody := h.senders == nil; err == nil && anybody != (tc.config == `{}`) {
			t.Errorf("%s: anybody may send: %t", tc.config, anybody)
		}
	}
}
