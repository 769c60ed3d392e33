package allowlist

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/hook"
)

// server provisions a server of Caddy's, with what decides whose word counts.
// It does not listen.
func server(t *testing.T, trust string) *caddyhttp.Server {
	t.Helper()
	app := fmt.Sprintf(`{"servers":{"s":{"listen":["127.0.0.1:0"],"automatic_https":{"disable":true}%s}}}`, trust)
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true},
		AppsRaw: caddy.ModuleMap{"http": json.RawMessage(app)},
	})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	return mod.(*caddyhttp.App).Servers["s"]
}

func TestAForwardedAddressCountsOnlyFromTrustedProxies(t *testing.T) {
	const (
		none   = ""
		lax    = `,"trusted_proxies":{"source":"static","ranges":["10.0.0.0/8"]}`
		strict = lax + `,"trusted_proxies_strict":1`
		unix   = `,"trusted_proxies_unix":true`
	)
	m := &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{of("192.0.2.0/24")}}
	for _, tc := range []struct {
		name, trust, remote, forwarded string
		want                           bool
		code                           hook.Code // "" for none
	}{
		{"a direct client of the list", none, "192.0.2.1:9", "", true, ""},
		{"a direct client of the list who says otherwise", none, "192.0.2.1:9", "203.0.113.1", true, ""},
		{"a forged header without proxies", none, "203.0.113.1:9", "192.0.2.1", false, ""},
		{"a forged header past the proxies", strict, "203.0.113.1:9", "192.0.2.1", false, ""},
		{"a forged header past the proxies, without strict", lax, "203.0.113.1:9", "192.0.2.1", false, ""},
		{"a client of the list through a proxy", strict, "10.0.0.1:9", "192.0.2.1", true, ""},
		{"a mapped client of the list through a proxy", strict, "10.0.0.1:9", "::ffff:192.0.2.1", true, ""},
		{"a client of the list through two proxies", strict, "10.0.0.1:9", "192.0.2.1, 10.0.0.2", true, ""},
		{"an outsider through a proxy", strict, "10.0.0.1:9", "203.0.113.1", false, ""},
		{"an outsider through a proxy who prepended an address", strict, "10.0.0.1:9", "192.0.2.1, 203.0.113.1", false, ""},
		{"a proxy itself", strict, "10.0.0.1:9", "", false, ""},
		{"a prepended address without strict", lax, "10.0.0.1:9", "192.0.2.1, 203.0.113.1", false, hook.CodeMisconfigured},
		{"a right address without strict", lax, "10.0.0.1:9", "192.0.2.1", false, hook.CodeMisconfigured},
		{"a direct client without strict", lax, "192.0.2.1:9", "", true, ""},
		{"a Unix socket", none, "@", "192.0.2.1", false, ""},
		{"a trusted Unix socket with strict", unix + `,"trusted_proxies_strict":1`, "@", "192.0.2.1", true, ""},
		{"a trusted Unix socket with strict and no header", unix + `,"trusted_proxies_strict":1`, "@", "", false, ""},
		{"a trusted Unix socket without strict", unix, "@", "192.0.2.1", false, hook.CodeMisconfigured},
		{"a client with a zone", none, "[fe80::1%eth0]:9", "192.0.2.1", false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			r.RemoteAddr = tc.remote
			if tc.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tc.forwarded)
			}
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), server(t, tc.trust))
			if tc.code != "" {
				err := refused(t, m, r, http.StatusServiceUnavailable, tc.code)
				if !strings.Contains(err.Error(), "trusted_proxies_strict") {
					t.Errorf("the error does not say what to set: %v", err)
				}
				return
			}
			if got, err := m.MatchWithError(r); err != nil || got != tc.want {
				t.Errorf("got %t, %v", got, err)
			}
		})
	}
}
