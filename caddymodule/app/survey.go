package app

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// passing are the handlers that may leave a request to the next one. Of a
// handler that is not among them it is taken that it answers.
var passing = map[caddy.ModuleID]bool{
	"http.handlers.encode":           true,
	"http.handlers.fail_fast":        true,
	"http.handlers.headers":          true,
	"http.handlers.hookgate_health":  true,
	"http.handlers.log_append":       true,
	"http.handlers.map":              true,
	"http.handlers.request_body":     true,
	"http.handlers.rewrite":          true,
	"http.handlers.tracing":          true,
	"http.handlers.vars":             true,
	"http.handlers.webhook_allow":    true,
	"http.handlers.webhook_auth":     true,
	"http.handlers.webhook_dedup":    true,
	"http.handlers.webhook_validate": true,
}

// hooks are the handlers by which a hook is known.
var hooks = map[caddy.ModuleID]bool{
	"http.handlers.webhook_dedup":   true,
	"http.handlers.webhook_publish": true,
}

// answersAll reports whether routes leave no request to what comes after them.
func answersAll(routes caddyhttp.RouteList) bool {
	for _, route := range routes {
		if conditional(route) {
			continue
		}
		for _, h := range handlersOf(route) {
			if h.sub != nil {
				if answersAll(h.sub.Routes) {
					return true
				}
			} else if !passing[h.id] {
				return true
			}
		}
	}
	return false
}

func hasHook(route caddyhttp.Route) bool {
	return slices.ContainsFunc(handlersOf(route), func(h handler) bool {
		return hooks[h.id] || h.sub != nil && slices.ContainsFunc(h.sub.Routes, hasHook)
	})
}

// Stray is where a server with hooks leaves requests without an answer: Caddy's is
// an empty 200 then, and a sender takes it for a success.
type Stray struct {
	What   string   // which requests, and what to do
	Hosts  []string // of the site, nil for what no site takes
	Listen []string // of the server
}

// Strays returns where a server leaves requests unanswered. It takes a server as
// it stands in a config, too. tls says that it serves nothing but TLS, in which
// the host of a request is that of its handshake where strict_sni_host is on.
func Strays(s *caddyhttp.Server, tls bool) (strays []Stray) {
	if !slices.ContainsFunc(s.Routes, hasHook) {
		return nil
	}
	for _, route := range s.Routes {
		if inside := (caddyhttp.RouteList{{Handlers: route.Handlers, HandlersRaw: route.HandlersRaw}}); route.Terminal && hasHook(route) && !answersAll(inside) {
			strays = append(strays, Stray{
				What:  "a path that no handler takes is answered with an empty 200, and a sender takes that for a success: end the site with respond 404",
				Hosts: hostsOf(route), Listen: s.Listen,
			})
		}
	}
	if sameHost := tls && s.StrictSNIHost != nil && *s.StrictSNIHost; !sameHost && !answersAll(s.Routes) {
		strays = append(strays, Stray{
			What:   "a host or a path that no site takes is answered with an empty 200, and a sender takes that for a success: add a site http://, https:// with respond 404",
			Listen: s.Listen,
		})
	}
	return strays
}

// warnOfStrays says so.
func warnOfStrays(log *zap.Logger, s *caddyhttp.Server) {
	for _, stray := range Strays(s, len(s.TLSConnPolicies) > 0) {
		where := zap.Strings("listen", stray.Listen)
		if stray.Hosts != nil {
			where = zap.Strings("hosts", stray.Hosts)
		}
		log.Warn(stray.What, zap.String("server", s.Name()), where)
	}
}

// CheckPlaces returns an error where two hooks stand at the same place: only
// the first would ever get a request. It takes routes as they stand in a config,
// too.
func CheckPlaces(routes caddyhttp.RouteList) error {
	taken := map[string]string{}
	for _, route := range routes {
		place, known := placeOf(route)
		for _, h := range handlersOf(route) {
			if h.sub != nil {
				if err := CheckPlaces(h.sub.Routes); err != nil {
					return err
				}
			}
			name, takes := hookOf(h)
			if !known || !takes {
				continue
			}
			if other, ok := taken[place]; ok {
				return fmt.Errorf("the hooks %q and %q both stand at %s: only the first would get requests", other, name, place)
			}
			taken[place] = name
		}
	}
	return nil
}

// hookOf returns the name of the hook that a handler is, if it takes all
// requests that it gets.
func hookOf(h handler) (name string, takes bool) {
	if h.sub == nil {
		return h.name, h.id == "http.handlers.webhook_publish"
	}
	for _, route := range h.sub.Routes {
		if conditional(route) {
			continue
		}
		for _, h := range handlersOf(route) {
			inner, innerTakes := hookOf(h)
			if name == "" {
				name = inner
			}
			takes = takes || innerTakes
		}
	}
	return name, takes
}
