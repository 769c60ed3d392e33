package handlers

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/logger"
)

// Log writes one line an event, with nothing personal in it, and does nothing
// else: to see that events come through, before there is anything to send them
// to. An event that it has logged is processed, and gone.
type Log struct{}

// CaddyModule returns the Caddy module information.
func (*Log) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "hookgate.handlers.log", New: func() caddy.Module { return new(Log) }}
}

// NewHandler implements app.HandlerDriver.
func (*Log) NewHandler(env app.Env) (hook.Handler, error) { return logger.New(env.Logger) }

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	log
func (*Log) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // its name
	if d.NextArg() {
		return d.ArgErr()
	}
	return parse.Block(d, nil)
}

// Interface guards
var (
	_ app.HandlerDriver     = (*Log)(nil)
	_ caddyfile.Unmarshaler = (*Log)(nil)
)
