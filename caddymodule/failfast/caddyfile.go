package failfast

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
)

func init() {
	parse.RegisterHandler("fail_fast", parseCaddyfile)
}

// parseCaddyfile sets up the handler. Syntax:
//
//	fail_fast [<matcher>] [<budget>] {
//		name          <hook>
//		max_in_flight <count>
//		max_refused   <count>/s | off
//	}
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	f := new(Handler)
	return f, f.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own name
	if d.NextArg() {
		budget, err := parse.Duration(d, minBudget)
		if err != nil {
			return err
		}
		h.Budget = caddy.Duration(budget)
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	return parse.Block(d, map[string]parse.Func{
		"name":          parse.Name(&h.Hook),
		"max_in_flight": parse.Count(&h.MaxInFlight),
		"max_refused":   parse.Rate(&h.MaxRefused),
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
