// Package around says what a module is a part of, for errors.
package around

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Hook returns " of the hook ..." for the error of a module that is being
// provisioned. Its own settings may not name the hook, but those of the handlers
// beside it do. It is empty where they name none, or several.
func Hook(ctx caddy.Context) string {
	for _, mod := range slices.Backward(ctx.Modules()) {
		sub, ok := mod.(*caddyhttp.Subroute)
		if !ok {
			continue
		}
		if names := hooksOf(sub.Routes); len(names) == 1 {
			return fmt.Sprintf(" of the hook %q", names[0])
		}
	}
	return ""
}

// hooksOf returns the names of hooks in routes, whose handlers may be loaded or
// still stand in the config.
func hooksOf(routes caddyhttp.RouteList) (names []string) {
	note := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, route := range routes {
		for _, raw := range route.HandlersRaw {
			var h struct{ Hook string }
			if json.Unmarshal(raw, &h) == nil {
				note(h.Hook)
			}
		}
		for _, loaded := range route.Handlers {
			if h, ok := loaded.(interface{ HookName() string }); ok {
				note(h.HookName())
			}
		}
	}
	return names
}
