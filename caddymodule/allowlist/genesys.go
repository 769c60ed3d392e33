package allowlist

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/genesys/live"
)

func init() {
	caddy.RegisterModule(new(GenesysSource))
}

// GenesysSource are the addresses that Genesys Cloud sends from, as it says
// itself: GET /api/v2/ipranges. Syntax:
//
//	genesys <service>... {
//		observe
//	}
//
// Services are data-actions, open-messaging, bot-connector, audiohook and
// whatever Genesys adds. How Genesys is asked is in the global option hookgate.
//
// While there is no list, requests are answered 503 allowlist_unavailable. The
// list is a filter and no proof: its addresses serve every customer of Genesys
// Cloud.
type GenesysSource struct {
	// The services whose addresses count. At least one is required.
	Services []string `json:"services,omitempty"`

	// Lets every address in, and counts and logs those that would have been
	// refused: for the first days of a list. Default: false.
	Observe bool `json:"observe,omitempty"`

	ranges  *app.Ranges
	view    *live.View
	senders *senders
	logger  *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*GenesysSource) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.ip_sources.genesys",
		New: func() caddy.Module { return new(GenesysSource) },
	}
}

// Provision implements caddy.Provisioner. It asks nobody: that begins when the
// config starts.
func (g *GenesysSource) Provision(ctx caddy.Context) error {
	if len(g.Services) == 0 {
		return errNoService
	}
	if err := checkServices(g.Services); err != nil {
		return err
	}
	ranges, err := app.RangesOf(ctx)
	if err != nil {
		return err
	}
	g.senders, g.logger = counted(), telemetry.Thin(ctx.Logger())
	if err := telemetry.Register(ctx, g.senders); err != nil {
		return err
	}
	g.ranges, g.view = ranges, ranges.View(g.Services...)
	if g.Observe {
		g.logger.Warn("addresses outside the Genesys ranges are let in, and counted: observe", zap.Strings("services", g.Services))
	}
	return nil
}

// GetIPRanges implements caddyhttp.IPRangeSource.
func (g *GenesysSource) GetIPRanges(*http.Request) []netip.Prefix { return g.view.Ranges() }

// Contains reports whether an unmapped address without a zone is in the list.
func (g *GenesysSource) Contains(addr netip.Addr) bool { return g.view.Contains(addr) }

// Await waits until there is a list, or the config has started without one.
func (g *GenesysSource) Await(ctx context.Context) {
	if g.view.Ready() != nil {
		g.ranges.Await(ctx)
	}
}

// Ready returns why there is no list.
func (g *GenesysSource) Ready() error { return g.view.Ready() }

// Outside is told of an address that no source has, and says whether it is let
// in all the same. unready is why there may be no list.
func (g *GenesysSource) Outside(addr netip.Addr, unready error) bool {
	outcome := outcomeDenied
	switch {
	case g.Observe:
		outcome = outcomeObserved
	case unready != nil:
		outcome = outcomeUnavailable
	}
	g.senders.WithLabelValues(outcome).Inc()
	if g.Observe {
		g.logger.Info("observe: an address outside the Genesys ranges was let in",
			zap.Stringer("address", addr), zap.Strings("services", g.Services), zap.NamedError("list", unready))
	}
	return g.Observe
}

// UnmarshalCaddyfile sets up the source. Syntax:
//
//	genesys <service>... {
//		observe
//	}
func (g *GenesysSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the source's name
	g.Services = d.RemainingArgs()
	if len(g.Services) == 0 {
		return d.Errf("genesys: %v", errNoService)
	}
	if err := checkServices(g.Services); err != nil {
		return d.Errf("genesys: %v", err)
	}
	return parse.Block(d, map[string]parse.Func{
		"observe": func(*caddyfile.Dispenser) error {
			g.Observe = true
			return nil
		},
	})
}

// Interface guards
var (
	_ caddy.Provisioner       = (*GenesysSource)(nil)
	_ caddyhttp.IPRangeSource = (*GenesysSource)(nil)
	_ caddyfile.Unmarshaler   = (*GenesysSource)(nil)
	_ outsider                = (*GenesysSource)(nil)
	_ awaiter                 = (*GenesysSource)(nil)
	_ readier                 = (*GenesysSource)(nil)
	_ container               = (*GenesysSource)(nil)
)
