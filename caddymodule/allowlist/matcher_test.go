package allowlist

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/hook"
)

// source is an IP source that may not be ready.
type source struct {
	prefixes []netip.Prefix
	err      error
}

func (s *source) GetIPRanges(*http.Request) []netip.Prefix { return s.prefixes }
func (s *source) Ready() error                             { return s.err }

func of(prefixes ...string) *source {
	s := new(source)
	for _, p := range prefixes {
		s.prefixes = append(s.prefixes, netip.MustParsePrefix(p))
	}
	return s
}

// requestFrom is a request from a client as Caddy found it.
func requestFrom(t *testing.T, client string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), nil)
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, client)
	return r
}

func TestAClientMatchesByItsAddress(t *testing.T) {
	list := of("192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "fe80::/10")
	for _, tc := range []struct {
		name, client string
		want         bool
	}{
		{"in a range", "192.0.2.200", true},
		{"a single address", "198.51.100.7", true},
		{"next to a single address", "198.51.100.8", false},
		{"outside", "203.0.113.1", false},
		{"IPv6 in a range", "2001:db8::1", true},
		{"IPv6 outside", "2001:db9::1", false},
		{"IPv4 mapped to IPv6", "::ffff:192.0.2.1", true},
		{"mapped and outside", "::ffff:203.0.113.1", false},
		{"with a zone", "fe80::1%eth0", true},
		{"of a Unix socket", "", false},
		{"of a trusted Unix socket", "@", false},
		{"with a port", "192.0.2.1:80", false},
		{"that is a name", "localhost", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{of("10.0.0.0/8"), list}}
			r := requestFrom(t, tc.client)
			got, err := m.MatchWithError(r)
			if err != nil || got != tc.want {
				t.Errorf("got %t, %v", got, err)
			}
			if m.Match(r) != tc.want || stored(r) != nil {
				t.Error("Match says something else")
			}
		})
	}
}

func TestAClientWithoutAnAddressMatchesNotEvenAllAddresses(t *testing.T) {
	m := &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{of("0.0.0.0/0", "::/0")}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	for name, r := range map[string]*http.Request{
		"empty":    requestFrom(t, ""),
		"no value": caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil),
	} {
		if got, err := m.MatchWithError(r); got || err != nil {
			t.Errorf("%s: got %t, %v", name, got, err)
		}
	}
}

func TestAHeaderIsNoAddress(t *testing.T) {
	m := &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{of("192.0.2.0/24")}}
	r := requestFrom(t, "203.0.113.1")
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Client-Ip"} {
		r.Header.Set(name, "192.0.2.1")
	}
	if got, err := m.MatchWithError(r); got || err != nil {
		t.Errorf("got %t, %v", got, err)
	}
}

func TestEarlyDataIsRefused(t *testing.T) {
	m := &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{of("192.0.2.0/24")}}
	r := requestFrom(t, "192.0.2.1")
	r.TLS = new(tls.ConnectionState)
	refused(t, m, r, http.StatusTooEarly, hook.CodeTooEarly)

	r.TLS.HandshakeComplete = true
	if got, err := m.MatchWithError(r); !got || err != nil {
		t.Errorf("after the handshake: got %t, %v", got, err)
	}
}

func TestASourceThatIsNotReadyIsAnErrorUnlessAnotherHasTheAddress(t *testing.T) {
	cause := errors.New("no list yet")
	unready := of("192.0.2.0/24")
	unready.err = cause
	ready := of("10.0.0.0/8")
	for name, sources := range map[string][]caddyhttp.IPRangeSource{"first": {unready, ready}, "last": {ready, unready}} {
		t.Run(name, func(t *testing.T) {
			m := &MatchClientIPSource{sources: sources}
			err := refused(t, m, requestFrom(t, "192.0.2.1"), http.StatusServiceUnavailable, hook.CodeAllowlistUnavailable)
			if !errors.Is(err, cause) {
				t.Errorf("the cause is lost: %v", err)
			}
			if got, err := m.MatchWithError(requestFrom(t, "10.0.0.1")); !got || err != nil {
				t.Errorf("an address of the other source: %t, %v", got, err)
			}
		})
	}
}

// stored is the error that Match left.
func stored(r *http.Request) error {
	//lint:ignore SA1019 it is what old hosts look at
	err, _ := caddyhttp.GetVar(r.Context(), caddyhttp.MatcherErrorVarKey).(error)
	return err
}

// refused holds the error of a match, in both of its forms.
func refused(t *testing.T, m *MatchClientIPSource, r *http.Request, status int, code hook.Code) error {
	t.Helper()
	got, err := m.MatchWithError(r)
	// Not errors.As: the server looks at the outermost error only.
	he, ok := err.(caddyhttp.HandlerError)
	if got || !ok || he.StatusCode != status || hook.CodeOf(err) != code {
		t.Errorf("got %t, %v", got, err)
	}
	if m.Match(r) {
		t.Error("Match says something else")
	}
	if err := stored(r); hook.CodeOf(err) != code {
		t.Errorf("Match stored %v", err)
	}
	return err
}

func TestTheMatcherIsProvisioned(t *testing.T) {
	for _, tc := range []struct{ name, config, want string }{
		{"with a source", `{"sources":[{"source":"static","ranges":["192.0.2.0/24"]}]}`, ""},
		{"with two", `{"sources":[{"source":"test_guest"},{"source":"static"}]}`, ""},
		{"not without a source", `{}`, "client_ip_source: a source is required"},
		{"not with an unknown source", `{"sources":[{"source":"nowhere"}]}`, "unknown module: http.ip_sources.nowhere"},
		{"not without the source's name", `{"sources":[{"ranges":["192.0.2.0/24"]}]}`, "source"},
		{"not with a bad range", `{"sources":[{"source":"static","ranges":["192.0.2.0/33"]}]}`, "192.0.2.0/33"},
		{"not with a module that is no source", `{"sources":[{"source":"test_no_source"}]}`, "*allowlist.noSource is not an IP source"},
		{"not with a file that is not there", `{"sources":[{"source":"genesys_file","path":"/nonexistent/ranges.json"}]}`, "/nonexistent/ranges.json: no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			_, err := ctx.LoadModuleByID("http.matchers.client_ip_source", json.RawMessage(tc.config))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// trial is an IP source that lets strangers in, or only hears of them.
type trial struct {
	*source
	letIn bool
	told  []string
}

func (s *trial) Outside(addr netip.Addr, unready error) bool {
	s.told = append(s.told, fmt.Sprint(addr, " ", unready))
	return s.letIn
}

func TestASourceHearsOfStrangersAndMayLetThemIn(t *testing.T) {
	down := errors.New("no list")
	for _, tc := range []struct {
		name   string
		letIn  bool
		err    error
		client string
		want   bool
		told   string
		fails  bool
	}{
		{"an address of the list", false, nil, "192.0.2.1", true, "[]", false},
		{"an address of another source", false, nil, "10.0.0.1", true, "[]", false},
		{"a stranger", false, nil, "203.0.113.1", false, "[203.0.113.1 <nil>]", false},
		{"a stranger while the list is on trial", true, nil, "203.0.113.1", true, "[203.0.113.1 <nil>]", false},
		{"anybody while there is no list", false, down, "192.0.2.1", false, "[192.0.2.1 no list]", true},
		{"anybody while there is no list on trial", true, down, "192.0.2.1", true, "[192.0.2.1 no list]", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &trial{source: of("192.0.2.0/24"), letIn: tc.letIn}
			s.err = tc.err
			m := &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{s, of("10.0.0.0/8")}}
			got, err := m.MatchWithError(requestFrom(t, tc.client))
			if got != tc.want || (err != nil) != tc.fails || fmt.Sprint(s.told) != tc.told {
				t.Errorf("got %t, %v, told %v", got, err, s.told)
			}
		})
	}
}

// late is an IP source whose list comes while it is waited for.
type late struct{ *source }

func (s *late) Await(context.Context) { s.err = nil }

func TestAListThatIsAboutToComeIsWaitedFor(t *testing.T) {
	s := &late{of("192.0.2.0/24")}
	s.err = errors.New("not yet")
	m := &MatchClientIPSource{sources: []caddyhttp.IPRangeSource{s}}
	if got, err := m.MatchWithError(requestFrom(t, "192.0.2.1")); !got || err != nil {
		t.Errorf("got %t, %v", got, err)
	}
}
