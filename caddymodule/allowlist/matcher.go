// Package allowlist tells senders by their addresses: the handler webhook_allow
// and the matcher client_ip_source, which take any IP source, and the sources
// genesys and genesys_file.
package allowlist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/hook"
)

func init() {
	caddy.RegisterModule(new(MatchClientIPSource))
}

// MatchClientIPSource matches requests by the address of their sender, as
// Caddy determines it and never by a header, against any IP source.
//
// Syntax:
//
//	@name client_ip_source private_ranges | <cidr>... | genesys <service>... | file <path> [<service>...] | <ip source> ...
//
// It errs where the address cannot be believed: with 425 too_early before the
// TLS handshake is complete, with 503 misconfigured behind a trusted proxy
// without trusted_proxies_strict, and with 503 allowlist_unavailable while a
// source has no list and no other one has the address. A sender without an IP
// address, such as one on a Unix socket, never matches.
type MatchClientIPSource struct {
	// The IP sources: modules of the namespace http.ip_sources. One of them
	// must have the address. At least one is required.
	SourcesRaw []json.RawMessage `json:"sources,omitempty" caddy:"namespace=http.ip_sources inline_key=source"`

	sources []caddyhttp.IPRangeSource
}

// CaddyModule returns the Caddy module information.
func (*MatchClientIPSource) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.matchers.client_ip_source",
		New: func() caddy.Module { return new(MatchClientIPSource) },
	}
}

// readier is what a source may offer beside: an error while it has no list.
type readier interface{ Ready() error }

// awaiter is what a source may offer beside: it waits for a list that is about
// to come.
type awaiter interface{ Await(context.Context) }

// outsider is what a source may offer beside: it is told of an address that no
// source has, and may let it in.
type outsider interface {
	Outside(addr netip.Addr, unready error) (letIn bool)
}

// container is what a source may offer beside: a quicker look than at each of
// its ranges.
type container interface{ Contains(netip.Addr) bool }

// Provision implements caddy.Provisioner.
func (m *MatchClientIPSource) Provision(ctx caddy.Context) error {
	if len(m.SourcesRaw) == 0 {
		return errors.New("client_ip_source: a source is required")
	}
	mods, err := ctx.LoadModule(m, "SourcesRaw")
	if err != nil {
		return fmt.Errorf("client_ip_source: %w", err)
	}
	for _, mod := range mods.([]any) {
		source, ok := mod.(caddyhttp.IPRangeSource)
		if !ok {
			return fmt.Errorf("client_ip_source: %T is not an IP source", mod)
		}
		m.sources = append(m.sources, source)
	}
	return nil
}

// Match is MatchWithError for hosts that do not know it: the error is left in a
// variable of the request.
func (m *MatchClientIPSource) Match(r *http.Request) bool {
	match, err := m.MatchWithError(r)
	if err != nil {
		//lint:ignore SA1019 hosts that do not know MatchWithError look here
		caddyhttp.SetVar(r.Context(), caddyhttp.MatcherErrorVarKey, err)
	}
	return match
}

// MatchWithError implements caddyhttp.RequestMatcherWithError.
func (m *MatchClientIPSource) MatchWithError(r *http.Request) (bool, error) {
	if tooEarly(r) {
		return false, problem.Error(&hook.Error{Code: hook.CodeTooEarly})
	}
	if throughLaxProxy(r) {
		return false, problem.Error(&hook.Error{
			Code:   hook.CodeMisconfigured,
			Detail: "this server trusts proxies and needs trusted_proxies_strict as well: without it a sender may claim any address",
		})
	}
	addr := request.ClientIP(r)
	if !addr.IsValid() {
		return false, nil
	}
	var unready error
	for _, source := range m.sources {
		if s, ok := source.(awaiter); ok {
			s.Await(r.Context())
		}
		if s, ok := source.(readier); ok {
			if err := s.Ready(); err != nil {
				unready = err
				continue
			}
		}
		if contains(source, r, addr) {
			return true, nil
		}
	}
	letIn := false
	for _, source := range m.sources {
		if s, ok := source.(outsider); ok && s.Outside(addr, unready) {
			letIn = true
		}
	}
	if letIn {
		return true, nil
	}
	if unready != nil { // the address may be in the list that is not there
		return false, problem.Error(&hook.Error{Code: hook.CodeAllowlistUnavailable, Err: unready})
	}
	return false, nil
}

func contains(source caddyhttp.IPRangeSource, r *http.Request, addr netip.Addr) bool {
	if s, ok := source.(container); ok {
		return s.Contains(addr)
	}
	return slices.ContainsFunc(source.GetIPRanges(r), func(p netip.Prefix) bool { return p.Contains(addr) })
}

// tooEarly reports whether the request came before the TLS handshake was
// complete: anybody may have recorded it and sent it again (RFC 8470).
func tooEarly(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }

// throughLaxProxy reports whether the address is the word of a trusted proxy
// that may only repeat what the sender said.
func throughLaxProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return trusted && (server == nil || server.TrustedProxiesStrict == 0)
}

// Interface guards
var (
	_ caddy.Provisioner                 = (*MatchClientIPSource)(nil)
	_ caddyhttp.RequestMatcherWithError = (*MatchClientIPSource)(nil)
	_ caddyfile.Unmarshaler             = (*MatchClientIPSource)(nil)
)
