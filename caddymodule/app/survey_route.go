package app

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// handler is what matters of one in a route, whether it is loaded or still stands
// in the config.
type handler struct {
	id   caddy.ModuleID
	name string              // of the hook, where it knows
	sub  *caddyhttp.Subroute // where it is one
}

// named is a handler that knows the name of its hook.
type named interface{ HookName() string }

// handlersOf returns the handlers of a route.
func handlersOf(route caddyhttp.Route) (all []handler) {
	for _, raw := range route.HandlersRaw {
		var h struct{ Handler, Hook string }
		if json.Unmarshal(raw, &h) != nil {
			continue
		}
		of := handler{id: caddy.ModuleID("http.handlers." + h.Handler), name: h.Hook}
		if sub := new(caddyhttp.Subroute); h.Handler == "subroute" && json.Unmarshal(raw, sub) == nil {
			of.sub = sub
		}
		all = append(all, of)
	}
	for _, loaded := range route.Handlers {
		of := handler{}
		if m, ok := loaded.(caddy.Module); ok {
			of.id = m.CaddyModule().ID
		}
		if n, ok := loaded.(named); ok {
			of.name = n.HookName()
		}
		of.sub, _ = loaded.(*caddyhttp.Subroute)
		all = append(all, of)
	}
	return all
}

// conditional reports whether a route is for some requests only.
func conditional(route caddyhttp.Route) bool {
	return len(route.MatcherSets)+len(route.MatcherSetsRaw) > 0
}

// hostsOf returns the hosts that a route is for.
func hostsOf(route caddyhttp.Route) (hosts []string) {
	for _, set := range matchersOf(route) {
		hosts = append(hosts, set["host"]...)
	}
	return hosts
}

// matchersOf returns the matchers of a route: the words of those by host and by
// path, and of any other its name alone.
func matchersOf(route caddyhttp.Route) (sets []map[string][]string) {
	for _, raw := range route.MatcherSetsRaw {
		set := map[string][]string{}
		for name, value := range raw {
			set[name] = nil
			if words := []string(nil); json.Unmarshal(value, &words) == nil {
				set[name] = words
			}
		}
		sets = append(sets, set)
	}
	for _, loaded := range route.MatcherSets {
		set := map[string][]string{}
		for _, m := range loaded {
			switch m := m.(type) {
			case *caddyhttp.MatchHost:
				set["host"] = *m
			case *caddyhttp.MatchPath:
				set["path"] = *m
			case caddyhttp.MatchPath:
				set["path"] = m
			default:
				set["other"] = nil
			}
		}
		sets = append(sets, set)
	}
	return sets
}

// placeOf returns what a route matches, where it is by host and path alone.
func placeOf(route caddyhttp.Route) (place string, known bool) {
	if !conditional(route) {
		return "every path", true
	}
	var sets []string
	for _, set := range matchersOf(route) {
		var words []string
		for name, values := range set {
			if name != "host" && name != "path" {
				return "", false
			}
			words = append(words, values...)
		}
		slices.Sort(words)
		sets = append(sets, strings.Join(words, " "))
	}
	return strings.Join(sets, " or "), true
}

// each calls fn with every loaded handler of routes, also of those within.
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
