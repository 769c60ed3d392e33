package publish

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhook_publish", parseCaddyfile)
}

// parseCaddyfile sets up the handler. Syntax:
//
//	webhook_publish [<matcher>] {
//		ttl              <duration>
//		timeout          <duration>
//		on_conflict      park | reject
//		on_store_failure publish | reject
//		accepted_status  200 | 201 | 202
//		routing_key      <key>
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
	return parse.Block(d, map[string]parse.Func{
		"ttl":              parse.Time(&h.TTL),
		"timeout":          parse.Time(&h.Timeout),
		"on_conflict":      parse.Word(&h.OnConflict, Park, Reject),
		"on_store_failure": parse.Word(&h.OnStoreFailure, Publish, Reject),
		"accepted_status":  parse.Count(&h.AcceptedStatus),
		"routing_key":      parse.String(&h.RoutingKey),
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
