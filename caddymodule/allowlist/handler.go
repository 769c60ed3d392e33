package allowlist

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/internal/around"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/hook"
)

func init() {
	caddy.RegisterModule(new(Handler))
	parse.RegisterHandler("webhook_allow", parseCaddyfile)
}

// Handler passes on what can be a webhook of an allowed sender: a POST from an
// address that one of its sources has. It is the matcher client_ip_source and one
// by method in one, which costs a request less than two routes with an error each.
//
// Errors: 403 forbidden, 405 method_not_allowed, and those of the matcher: 425
// too_early, 503 misconfigured and allowlist_unavailable.
type Handler struct {
	// The IP sources: modules of the namespace http.ip_sources. One of them
	// must have the sender's address. Default: any address may send; a list
	// without a source is an error.
	SourcesRaw []json.RawMessage `json:"sources,omitempty" caddy:"namespace=http.ip_sources inline_key=source"`

	senders *MatchClientIPSource // nil: anybody
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhook_allow",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision implements caddy.Provisioner.
func (h *Handler) Provision(ctx caddy.Context) error {
	switch {
	case h.SourcesRaw == nil:
		return nil
	case len(h.SourcesRaw) == 0:
		return errors.New("webhook_allow: sources is empty; leave it out where any address may send")
	}
	h.senders = &MatchClientIPSource{SourcesRaw: h.SourcesRaw}
	if err := h.senders.Provision(ctx); err != nil {
		return fmt.Errorf("webhook_allow%s: %w", around.Hook(ctx), err)
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler. An outsider does not learn
// which methods there are.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if tooEarly(r) {
		return problem.Error(&hook.Error{Code: hook.CodeTooEarly})
	}
	if h.senders != nil {
		switch allowed, err := h.senders.MatchWithError(r); {
		case err != nil:
			return err
		case !allowed:
			return problem.Error(&hook.Error{Code: hook.CodeForbidden})
		}
	}
	if r.Method != http.MethodPost {
		return problem.Error(&hook.Error{Code: hook.CodeMethodNotAllowed})
	}
	return next.ServeHTTP(w, r)
}

// parseCaddyfile sets up the handler. Syntax:
//
//	webhook_allow [<matcher>] any
//	webhook_allow [<matcher>] private_ranges
//	webhook_allow [<matcher>] <cidr>...
//	webhook_allow [<matcher>] genesys <service>... { observe }
//	webhook_allow [<matcher>] file <path> [<service>...]
//	webhook_allow [<matcher>] <ip source> ...
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(Handler)
	if err := a.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return a, CheckOption(h.Dispenser, a.SourcesRaw, h.Option(app.Name))
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own name
	if err := h.parseSenders(d); err != nil {
		return err
	}
	if nesting := d.Nesting(); d.NextBlock(nesting) {
		return d.Err("webhook_allow takes no block")
	}
	return nil
}

func (h *Handler) parseSenders(d *caddyfile.Dispenser) (err error) {
	if !d.NextArg() {
		return d.Err("webhook_allow: whom to allow is missing")
	}
	if d.Val() == "any" {
		if d.NextArg() {
			return d.ArgErr()
		}
		return nil
	}
	d.Prev()
	h.SourcesRaw, err = ParseArgs(d)
	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
