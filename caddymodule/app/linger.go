package app

import (
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// minLinger is how long a replaced runtime takes requests at the least.
const minLinger = 10 * time.Second

// afterLongest is for what comes after the longest request: it may have been
// routed a moment before its config was replaced.
const afterLongest = time.Second

// bounded is a handler that bounds how long a request takes.
type bounded interface{ Longest() time.Duration }

// lingerFor returns how long a replaced runtime still takes requests of the
// servers. Caddy cleans up a config while requests that it routed are on their
// way, some of them still sending their body: they must not find the door
// closed. Those that are inside keep it open anyhow.
func lingerFor(servers []*caddyhttp.Server) time.Duration {
	linger := minLinger
	for _, s := range servers {
		each(s.Routes, func(h caddyhttp.MiddlewareHandler) {
			if b, ok := h.(bounded); ok {
				linger = max(linger, b.Longest()+afterLongest)
			}
		})
	}
	return linger
}
