package app

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// With shutdown_delay Caddy lets servers go on for a while before it stops them,
// so that a load balancer sees in its health checks that they are about to, and
// sends elsewhere. It does so where an address of the config is nobody's any
// more. Until then these servers keep their sockets.

// delayed tells the servers that Caddy lets go on for a while from those that it
// stops at once.
func (ho *handover) delayed() (now, later []*caddyhttp.Server) {
	web, ok := ho.web()
	if !ok || web.ShutdownDelay <= 0 {
		return ho.servers, nil
	}
	for _, s := range ho.servers {
		if ends(s) {
			later = append(later, s)
		} else {
			now = append(now, s)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(web.Servers)), ends) {
		// Caddy looks by itself, and later: it would see that we have closed our
		// sockets, and wait, though the new config's are open.
		web.ShutdownDelay = 0
	}
	return now, later
}

// web returns the http app of the config.
func (ho *handover) web() (*caddyhttp.App, bool) {
	mod, err := ho.ctx.AppIfConfigured("http")
	if err != nil {
		return nil, false
	}
	web, ok := mod.(*caddyhttp.App)
	return web, ok
}

// ends reports whether an address of a server has no other socket, as that of a
// new config would be. Caddy asks the same.
func ends(s *caddyhttp.Server) bool {
	for _, listen := range s.Listen {
		addrs, err := caddy.ParseNetworkAddress(listen)
		if err != nil {
			continue
		}
		for _, addr := range addrs.Expand() {
			if caddy.ListenerUsage(addr.Network, addr.JoinHostPort(0)) < 2 {
				return true
			}
		}
	}
	return false
}

const (
	// parting is as long as leave may take.
	parting = 1200 * time.Millisecond

	// delayLooked is how often it is looked whether Caddy has set the time.
	delayLooked = 10 * time.Millisecond
)

// leaveLater leaves servers shortly before Caddy stops them. Other apps may be
// stopped first, so it waits to be told when that is.
func (ho *handover) leaveLater(servers []*caddyhttp.Server) {
	tick := time.NewTicker(delayLooked)
	defer tick.Stop()
	for {
		if left, known := untilShutdown(servers[0]); known && left <= parting {
			ho.leave(servers)
			return
		}
		select {
		case <-ho.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// untilShutdown returns when Caddy stops a server, once it has set the time. It
// says so in a placeholder alone.
func untilShutdown(s *caddyhttp.Server) (left time.Duration, known bool) {
	repl := caddy.NewEmptyReplacer()
	caddyhttp.PrepareRequest(&http.Request{URL: new(url.URL)}, repl, nil, s)
	value, _ := repl.Get("http.time_until_shutdown")
	left, known = value.(time.Duration)
	return left, known
}
