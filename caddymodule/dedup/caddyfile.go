package dedup

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
)

func init() {
	parse.RegisterHandler("webhook_dedup", parseCaddyfile)
}

// parseCaddyfile sets up the handler. Syntax:
//
//	webhook_dedup [<matcher>] {
//		ttl   <duration>
//		lease <duration>
//	}
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	p := new(Handler)
	return p, p.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own name
	if d.NextArg() {
		return d.ArgErr()
	}
	block, lines := *d, make(parse.Lines)
	err := parse.Block(d, lines.Note(map[string]parse.Func{
		"ttl":   parse.Time(&h.TTL),
		"lease": parse.AtLeast(&h.Lease, minLease),
	}))
	if err != nil {
		return err
	}
	if err := h.Validate(); err != nil {
		return lines.At(&block, "ttl", "lease").WrapErr(err)
	}
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
