package app

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
)

// parseGenesys reads how Genesys Cloud is asked. Syntax:
//
//	genesys <region|domain> {
//		client_id     <id>
//		client_secret <secret>
//		refresh       <duration>
//	}
//	genesys {
//		api_url   <url>
//		login_url <url>
//		...
//	}
//
// The secret is {env.NAME} or {file./path}.
func parseGenesys(to **Genesys) parse.Func {
	return func(d *caddyfile.Dispenser) error {
		g := new(Genesys)
		*to = g
		if d.NextArg() {
			g.Environment = d.Val()
			// Found here, an error has the line of the region.
			if err := g.check(); err != nil {
				return d.Errf("%v", err)
			}
		}
		if d.NextArg() {
			return d.Errf("genesys: too many arguments, at %q", d.Val())
		}
		err := parse.Block(d, map[string]parse.Func{
			"client_id":     parse.String(&g.ClientID),
			"client_secret": g.parseSecret,
			"refresh":       parse.AtLeast(&g.Refresh, minRefresh),
			"api_url":       parse.String(&g.APIURL),
			"login_url":     parse.String(&g.LoginURL),
		})
		if err != nil {
			return err
		}
		if err := g.check(); err != nil {
			return d.Errf("%v", err)
		}
		return nil
	}
}

func (g *Genesys) parseSecret(d *caddyfile.Dispenser) error {
	if err := parse.String(&g.ClientSecret)(d); err != nil {
		return err
	}
	if !secret.MatchString(g.ClientSecret) {
		return d.Err("genesys: client_secret: a secret does not stand here itself: write {env.NAME} or {file./path}")
	}
	return nil
}
