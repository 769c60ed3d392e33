package validate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/hook"
)

func TestAnAgeIsCheckedWhereThereIsATimestamp(t *testing.T) {
	at := func(timestamp string) string {
		return strings.Replace(whole, `"2026-05-14T18:32:11.450Z"`, timestamp, 1)
	}
	now, old := time.Now().UTC().Format(`"2006-01-02T15:04:05.000Z"`), `"2020-05-14T18:32:11.450Z"`
	for _, tc := range []struct {
		name, body, violation string
		want                  hook.Code // empty: it passes
		parked                bool
	}{
		{"a new one", at(now), Park, "", false},
		{"an old one", at(old), Park, hook.CodeStale, false},
		{"an old one, with a violation beside", strings.Replace(at(old), `"answered"`, "1", 1), Park, hook.CodeStale, false},
		{"none, which the contract does not allow", strings.Replace(at(now), `"timestamp"`, `"sentAt"`, 1), Park, "", true},
		{"one that is none, which the contract does not allow", at(`"soon"`), Park, "", true},
		{"none, where such events are refused", at(`"soon"`), Reject, hook.CodeContractViolation, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := &Handler{Hook: "aging", Contract: "pe-action-map", MaxEventAge: caddy.Duration(time.Hour), OnContractViolation: tc.violation}
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			if err := h.Provision(ctx); err != nil {
				t.Fatal(err)
			}
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tc.body))
			r.Header.Set("Content-Type", "application/json")
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
			err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
			if (err == nil) != (tc.want == "") || err != nil && hook.CodeOf(err) != tc.want {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if parked := request.Of(r).Park != nil; parked != tc.parked {
				t.Errorf("parked: %t", parked)
			}
		})
	}
}
