// Command bare is Caddy with one handler that reads a webhook and keeps nothing
// of it. It is what Hookgate's own cost is measured against: the same server,
// less the promise.
package main

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // plug in Caddy's own
)

func init() {
	caddy.RegisterModule(new(Discard))
	httpcaddyfile.RegisterHandlerDirective("discard", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("discard", httpcaddyfile.Before, "respond")
}

func main() { caddycmd.Main() }

// Discard reads the body and answers 202, with nothing else.
type Discard struct{}

// CaddyModule returns the Caddy module information.
func (*Discard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.discard",
		New: func() caddy.Module { return new(Discard) },
	}
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (*Discard) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// parseCaddyfile sets up the handler. Syntax:
//
//	discard [<matcher>]
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // the directive's own name
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	return new(Discard), nil
}

// Interface guard
var _ caddyhttp.MiddlewareHandler = (*Discard)(nil)
