package app

import (
	"fmt"
	"slices"
	"strings"

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
		if len(route.MatcherSets) > 0 {
			continue
		}
		for _, h := range route.Handlers {
			if sub, ok := h.(*caddyhttp.Subroute); ok {
				if answersAll(sub.Routes) {
					return true
				}
			} else if !passing[moduleID(h)] {
				return true
			}
		}
	}
	return false
}

// each calls fn with every handler of routes, also of those within.
func each(routes caddyhttp.RouteList, fn func(caddyhttp.MiddlewareHandler)) {
	for _, route := range routes {
		for _, h := range route.Handlers {
			fn(h)
			if sub, ok := h.(*caddyhttp.Subroute); ok {
				each(sub.Routes, fn)
			}
		}
	}
}

func moduleID(h caddyhttp.MiddlewareHandler) caddy.ModuleID {
	if m, ok := h.(caddy.Module); ok {
		return m.CaddyModule().ID
	}
	return ""
}

func hasHook(route caddyhttp.Route) (found bool) {
	each(caddyhttp.RouteList{route}, func(h caddyhttp.MiddlewareHandler) { found = found || hooks[moduleID(h)] })
	return found
}

// hostsOf returns the hosts that a route is for.
func hostsOf(route caddyhttp.Route) (hosts []string) {
	for _, set := range route.MatcherSets {
		for _, m := range set {
			if host, ok := m.(*caddyhttp.MatchHost); ok {
				hosts = append(hosts, *host...)
			}
		}
	}
	return hosts
}

// warnOfStrays says where a server with hooks leaves requests without an
// answer: Caddy's is an empty 200 then, and a sender takes it for a success.
func warnOfStrays(log *zap.Logger, s *caddyhttp.Server) {
	if !slices.ContainsFunc(s.Routes, hasHook) {
		return
	}
	for _, route := range s.Routes {
		if inside := (caddyhttp.RouteList{{Handlers: route.Handlers}}); route.Terminal && hasHook(route) && !answersAll(inside) {
			log.Warn("a path that no handler takes is answered with an empty 200, and a sender takes that for a success: end the site with respond 404",
				zap.String("server", s.Name()), zap.Strings("hosts", hostsOf(route)))
		}
	}
	if sameHost := s.StrictSNIHost != nil && *s.StrictSNIHost && len(s.TLSConnPolicies) > 0; !sameHost && !answersAll(s.Routes) {
		log.Warn("a host or a path that no site takes is answered with an empty 200, and a sender takes that for a success: add a site http://, https:// with respond 404",
			zap.String("server", s.Name()), zap.Strings("listen", s.Listen))
	}
}

// named is a handler that knows the name of its hook.
type named interface{ HookName() string }

// checkPlaces returns an error where two hooks stand at the same place: only
// the first would ever get a request.
func checkPlaces(routes caddyhttp.RouteList) error {
	taken := map[string]string{}
	for _, route := range routes {
		place, known := placeOf(route)
		for _, h := range route.Handlers {
			if sub, ok := h.(*caddyhttp.Subroute); ok {
				if err := checkPlaces(sub.Routes); err != nil {
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
func hookOf(h caddyhttp.MiddlewareHandler) (name string, takes bool) {
	sub, ok := h.(*caddyhttp.Subroute)
	if !ok {
		if n, ok := h.(named); ok {
			name = n.HookName()
		}
		return name, moduleID(h) == "http.handlers.webhook_publish"
	}
	for _, route := range sub.Routes {
		if len(route.MatcherSets) > 0 {
			continue
		}
		for _, h := range route.Handlers {
			inner, innerTakes := hookOf(h)
			if name == "" {
				name = inner
			}
			takes = takes || innerTakes
		}
	}
	return name, takes
}

// placeOf returns what a route matches, where it is by host and path alone.
func placeOf(route caddyhttp.Route) (place string, known bool) {
	if len(route.MatcherSets) == 0 {
		return "every path", true
	}
	var sets []string
	for _, set := range route.MatcherSets {
		var words []string
		for _, m := range set {
			switch m := m.(type) {
			case *caddyhttp.MatchHost:
				words = append(words, *m...)
			case *caddyhttp.MatchPath:
				words = append(words, *m...)
			case caddyhttp.MatchPath:
				words = append(words, m...)
			default:
				return "", false
			}
		}
		slices.Sort(words)
		sets = append(sets, strings.Join(words, " "))
	}
	return strings.Join(sets, " or "), true
}
