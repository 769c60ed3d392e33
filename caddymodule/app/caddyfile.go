package app

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(Name, parseGlobalOption)
}

// parseGlobalOption sets up the app. Syntax:
//
//	{
//		hookgate {
//			data_dir <path>
//			store    <driver> ...
//			queue    <driver> ...
//			consumer { ... }
//			genesys  <region|domain> { ... }
//		}
//	}
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next() // for the place in the error
		return nil, d.Err("hookgate is already specified")
	}
	a := new(App)
	if err := a.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: Name, Value: caddyconfig.JSON(a, nil)}, nil
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if d.NextArg() {
		return d.ArgErr()
	}
	return parse.Block(d, map[string]parse.Func{
		"data_dir": parse.String(&a.DataDir),
		"store":    driver(&a.StoreRaw, "hookgate.stores."),
		"queue":    driver(&a.QueueRaw, "hookgate.queues."),
		"consumer": parseConsumer(&a.Consumer),
		"genesys":  parseGenesys(&a.Genesys),
	})
}

// driver reads a guest: its name, and what its own unmarshaler takes.
func driver(raw *json.RawMessage, namespace string) parse.Func {
	return func(d *caddyfile.Dispenser) error {
		option := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: the name of a driver is missing: one of %s", option, drivers(namespace))
		}
		name := d.Val()
		if _, err := caddy.GetModule(namespace + name); err != nil {
			return d.Errf("%s: this build has no driver %q: it is one of %s", option, name, drivers(namespace))
		}
		mod, err := caddyfile.UnmarshalModule(d, namespace+name)
		if err != nil {
			return err
		}
		*raw = caddyconfig.JSONModuleObject(mod, "driver", name, nil)
		return nil
	}
}

// drivers are the names of the guests that this build has.
func drivers(namespace string) string {
	var names []string
	for _, m := range caddy.GetModules(strings.TrimSuffix(namespace, ".")) {
		names = append(names, m.ID.Name())
	}
	return strings.Join(names, ", ")
}

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
