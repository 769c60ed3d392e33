package app

import (
	"net/http"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// fakeHook is a handler with the ID of a hook's.
type fakeHook struct{}

func (fakeHook) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_publish", New: func() caddy.Module { return new(fakeHook) }}
}

func (fakeHook) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }

func TestAServerThatLeavesRequestsUnansweredIsWarnedOf(t *testing.T) {
	var (
		onPath = caddyhttp.MatcherSets{{caddyhttp.MatchPath{"/hook"}}}
		onHost = caddyhttp.MatcherSets{{&caddyhttp.MatchHost{"hooks.example.com"}}}
		strict = true
	)
	route := func(on caddyhttp.MatcherSets, hs ...caddyhttp.MiddlewareHandler) caddyhttp.Route {
		return caddyhttp.Route{MatcherSets: on, Handlers: hs}
	}
	within := func(routes ...caddyhttp.Route) *caddyhttp.Subroute { return &caddyhttp.Subroute{Routes: routes} }
	site := func(routes ...caddyhttp.Route) caddyhttp.Route {
		r := route(onHost, within(routes...))
		r.Terminal = true
		return r
	}
	hook := route(onPath, within(route(nil, fakeHook{})))
	notFound := route(nil, new(caddyhttp.StaticResponse))
	for _, tc := range []struct {
		name   string
		server *caddyhttp.Server
		want   []string // what the warnings are about
	}{
		{"a hook alone", &caddyhttp.Server{Routes: caddyhttp.RouteList{hook}}, []string{"server"}},
		{"a hook and a 404", &caddyhttp.Server{Routes: caddyhttp.RouteList{hook, notFound}}, nil},
		{"a hook that takes every path", &caddyhttp.Server{Routes: caddyhttp.RouteList{route(nil, fakeHook{})}}, nil},
		{"a 404 that only some get", &caddyhttp.Server{Routes: caddyhttp.RouteList{hook, route(onPath, new(caddyhttp.StaticResponse))}}, []string{"server"}},
		{"a handler that passes on", &caddyhttp.Server{Routes: caddyhttp.RouteList{hook, route(nil, new(headers.Handler))}}, []string{"server"}},
		{"a site without a 404", &caddyhttp.Server{Routes: caddyhttp.RouteList{site(hook), notFound}}, []string{"hosts"}},
		{"a site with a 404, and no other", &caddyhttp.Server{Routes: caddyhttp.RouteList{site(hook, notFound)}}, []string{"server"}},
		{"a site with a 404, and one for the rest", &caddyhttp.Server{Routes: caddyhttp.RouteList{site(hook, notFound), notFound}}, nil},
		{"a site with a 404 that only its host reaches", &caddyhttp.Server{
			Routes: caddyhttp.RouteList{site(hook, notFound)}, StrictSNIHost: &strict, TLSConnPolicies: make(caddytls.ConnectionPolicies, 1),
		}, nil},
		{"a server without a hook", &caddyhttp.Server{Routes: caddyhttp.RouteList{site(route(onPath, new(headers.Handler)))}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			core, logs := observer.New(zap.WarnLevel)
			warnOfStrays(zap.New(core), tc.server)
			var got []string
			for _, entry := range logs.All() {
				about := "server"
				if _, ok := entry.ContextMap()["hosts"]; ok {
					about = "hosts"
				}
				got = append(got, about)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("warned of %q, want %q", got, tc.want)
			}
		})
	}
}

// namedHandler is what fail_fast is to a hook.
type namedHandler struct {
	fakeHook
	name string
}

func (h namedHandler) HookName() string { return h.name }

func TestTwoHooksAtOnePlaceAreRefused(t *testing.T) {
	route := func(name string, on ...caddyhttp.MatcherSet) caddyhttp.Route {
		return caddyhttp.Route{MatcherSets: on, Handlers: []caddyhttp.MiddlewareHandler{
			&caddyhttp.Subroute{Routes: caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{namedHandler{name: name}}}}},
		}}
	}
	path := func(p string) caddyhttp.MatcherSet { return caddyhttp.MatcherSet{caddyhttp.MatchPath{p}} }
	header := caddyhttp.MatcherSet{caddyhttp.MatchPath{"/a"}, caddyhttp.MatchHeader{"X": {"y"}}}
	for _, tc := range []struct {
		name   string
		routes caddyhttp.RouteList
		want   string
	}{
		{"two paths", caddyhttp.RouteList{route("one", path("/a")), route("two", path("/b"))}, ""},
		{"one path", caddyhttp.RouteList{route("one", path("/a")), route("two", path("/a"))}, `the hooks "one" and "two" both stand at /a: only the first would get requests`},
		{"one path, which Caddy has made one route", caddyhttp.RouteList{{
			MatcherSets: caddyhttp.MatcherSets{path("/a")},
			Handlers:    slices.Concat(route("one").Handlers, route("two").Handlers),
		}}, `the hooks "one" and "two" both stand at /a: only the first would get requests`},
		{"one path on two hosts", caddyhttp.RouteList{
			{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Routes: caddyhttp.RouteList{route("one", path("/a"))}}}, MatcherSets: caddyhttp.MatcherSets{{&caddyhttp.MatchHost{"a"}}}},
			{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Routes: caddyhttp.RouteList{route("one", path("/a"))}}}, MatcherSets: caddyhttp.MatcherSets{{&caddyhttp.MatchHost{"b"}}}},
		}, ""},
		{"one path, told apart by a header", caddyhttp.RouteList{route("one", header), route("two", header)}, ""},
		{"two paths, within routes of their own", caddyhttp.RouteList{
			{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Routes: caddyhttp.RouteList{route("one", path("/a"))}}}},
			{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Routes: caddyhttp.RouteList{route("two", path("/b"))}}}},
		}, ""},
		{"no matcher at all", caddyhttp.RouteList{route("one"), route("two")}, `the hooks "one" and "two" both stand at every path: only the first would get requests`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			if err := CheckPlaces(tc.routes); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
