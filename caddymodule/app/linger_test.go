package app

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// boundedHandler is what fail_fast is to a request.
type boundedHandler struct {
	fakeHook
	longest time.Duration
}

func (h boundedHandler) Longest() time.Duration { return h.longest }

func TestAReplacedRuntimeLingersForItsLongestRequest(t *testing.T) {
	server := func(longest ...time.Duration) *caddyhttp.Server {
		s := new(caddyhttp.Server)
		for _, d := range longest {
			inner := &caddyhttp.Subroute{Routes: caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{boundedHandler{longest: d}}}}}
			s.Routes = append(s.Routes, caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{inner}})
		}
		return s
	}
	for _, tc := range []struct {
		name    string
		servers []*caddyhttp.Server
		want    time.Duration
	}{
		{"no server", nil, 10 * time.Second},
		{"short timeouts", []*caddyhttp.Server{server(time.Second, 500*time.Millisecond)}, 10 * time.Second},
		{"a long one", []*caddyhttp.Server{server(time.Second), server(20*time.Second, time.Minute)}, time.Minute + time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := lingerFor(tc.servers); got != tc.want {
				t.Errorf("it lingers %s, want %s", got, tc.want)
			}
		})
	}
}
