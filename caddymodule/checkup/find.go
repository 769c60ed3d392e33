package checkup

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/allowlist"
	"github.com/hookgate/hookgate/caddymodule/auth"
	"github.com/hookgate/hookgate/caddymodule/dedup"
	"github.com/hookgate/hookgate/caddymodule/failfast"
	"github.com/hookgate/hookgate/caddymodule/publish"
	"github.com/hookgate/hookgate/caddymodule/validate"
	domain "github.com/hookgate/hookgate/hook"
)

// hook is one at one place, as the handlers make it that its requests pass.
type hook struct {
	server   *server
	failFast *failfast.Handler // nil where there is none, as with the others
	auth     *auth.Handler
	validate *validate.Handler
	dedup    *dedup.Handler
	publish  *publish.Handler
	allow    []json.RawMessage // IP sources; nil for everybody
}

// name is the hook's.
func (h *hook) name() string {
	if h.validate != nil && h.validate.Hook != "" {
		return h.validate.Hook
	}
	if h.failFast != nil && h.failFast.Hook != "" {
		return h.failFast.Hook
	}
	return domain.DefaultName
}

// effect is what a handler or a matcher does to a hook behind it.
type effect struct {
	on    string // the matchers under which it is passed, empty for all requests
	apply func(*hook)
}

// finder goes through the routes of a server in the order of a request.
type finder struct {
	server *server
	found  []*hook
}

// findHooks returns the hooks of a server.
func findHooks(s *server) []*hook {
	f := &finder{server: s}
	f.routes(s.Routes, nil)
	return f.found
}

// routes goes through a list of routes behind effects. It returns those that a
// request which passes all of it has on it.
func (f *finder) routes(list caddyhttp.RouteList, before []effect) []effect {
	passed := slices.Clone(before)
	for _, route := range list {
		on := matching(route)
		if deny := denied(route); deny != nil {
			passed = append(passed, effect{apply: deny})
			continue
		}
		inside := within(passed, on)
		if allow := allowed(route); allow != nil {
			inside = append(inside, effect{apply: allow})
		}
		behind := f.handlers(route.HandlersRaw, inside)
		for _, e := range behind[len(inside):] {
			passed = append(passed, effect{on: on, apply: e.apply})
		}
	}
	return passed
}

// within are the effects that all requests under a matcher have on them.
func within(all []effect, on string) (inside []effect) {
	for _, e := range all {
		if e.on == "" || e.on == on {
			inside = append(inside, effect{apply: e.apply})
		}
	}
	return inside
}

// handlers goes through the handlers of a route.
func (f *finder) handlers(all []json.RawMessage, passed []effect) []effect {
	for _, raw := range all {
		var of struct{ Handler string }
		if json.Unmarshal(raw, &of) != nil {
			continue
		}
		switch of.Handler {
		case "subroute":
			if sub := decode[caddyhttp.Subroute](raw); sub != nil {
				behind := f.routes(sub.Routes, passed)
				passed = append(passed, within(behind[len(passed):], "")...)
			}
		case "fail_fast":
			h := decode[failfast.Handler](raw)
			passed = append(passed, effect{apply: func(of *hook) { of.failFast = h }})
		case "webhook_allow":
			h := decode[allowlist.Handler](raw)
			passed = append(passed, effect{apply: func(of *hook) { of.allow = h.SourcesRaw }})
		case "webhook_auth":
			h := decode[auth.Handler](raw)
			passed = append(passed, effect{apply: func(of *hook) { of.auth = h }})
		case "webhook_validate":
			h := decode[validate.Handler](raw)
			passed = append(passed, effect{apply: func(of *hook) { of.validate = h }})
		case "webhook_dedup":
			h := decode[dedup.Handler](raw)
			passed = append(passed, effect{apply: func(of *hook) { of.dedup = h }})
			f.hook(passed)
		case "webhook_publish":
			h := decode[publish.Handler](raw)
			passed = append(passed, effect{apply: func(of *hook) { of.publish = h }})
			f.hook(passed)
		}
	}
	return passed
}

// hook notes one that is behind effects.
func (f *finder) hook(passed []effect) {
	h := &hook{server: f.server}
	for _, e := range passed {
		e.apply(h)
	}
	f.found = append(f.found, h)
}

func decode[T any](raw json.RawMessage) *T {
	v := new(T)
	if json.Unmarshal(raw, v) != nil {
		return nil
	}
	return v
}

// matching names the matchers of a route.
func matching(route caddyhttp.Route) string {
	if len(route.MatcherSetsRaw) == 0 {
		return ""
	}
	text, _ := json.Marshal(route.MatcherSetsRaw) // maps are sorted
	return string(text)
}

// denied returns the effect of a route that answers those whom a list does not
// have.
func denied(route caddyhttp.Route) func(*hook) {
	if len(route.MatcherSetsRaw) != 1 || len(route.MatcherSetsRaw[0]) != 1 || len(route.HandlersRaw) == 0 {
		return nil
	}
	var not []caddy.ModuleMap
	if json.Unmarshal(route.MatcherSetsRaw[0]["not"], &not) != nil || len(not) != 1 || len(not[0]) != 1 {
		return nil
	}
	var of struct{ Handler string }
	_ = json.Unmarshal(route.HandlersRaw[0], &of)
	if of.Handler != "error" && of.Handler != "static_response" {
		return nil
	}
	return listed(not[0])
}

// allowed returns the effect of a route that only those get whom a list has.
func allowed(route caddyhttp.Route) func(*hook) {
	if len(route.MatcherSetsRaw) != 1 {
		return nil
	}
	return listed(route.MatcherSetsRaw[0])
}

// listed returns the effect of a matcher by the sender's address.
func listed(set caddy.ModuleMap) func(*hook) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		switch name {
		case "client_ip_source":
			m := decode[allowlist.MatchClientIPSource](set[name])
			if m == nil {
				return nil
			}
			return func(of *hook) { of.allow = m.SourcesRaw }
		case "client_ip", "remote_ip":
			var m struct{ Ranges []string }
			_ = json.Unmarshal(set[name], &m)
			source, _ := json.Marshal(map[string]any{"source": "static", "ranges": m.Ranges})
			return func(of *hook) { of.allow = []json.RawMessage{source} }
		}
	}
	return nil
}

// sources are the names of the IP sources that a hook allows.
func (h *hook) sources() string {
	var names []string
	for _, raw := range h.allow {
		var s struct{ Source string }
		_ = json.Unmarshal(raw, &s)
		names = append(names, s.Source)
	}
	return strings.Join(names, " ")
}
