package parse

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// RegisterHandler registers a directive that sets up one handler and may begin
// with a matcher. It is httpcaddyfile.RegisterHandlerDirective, but for a
// matcher that is not defined: Caddy says its name alone, this says where.
func RegisterHandler(directive string, setUp httpcaddyfile.UnmarshalHandlerFunc) {
	httpcaddyfile.RegisterDirective(directive, func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
		h.Next() // the directive's own name
		matcher, err := Matcher(h)
		if err != nil {
			return nil, err
		}
		handler, err := setUp(h)
		if err != nil {
			return nil, err
		}
		return h.NewRoute(matcher, handler), nil
	})
}

// Matcher takes the matcher away that follows the current token, and goes back
// to the start. It is nil where there is none.
func Matcher(h httpcaddyfile.Helper) (caddy.ModuleMap, error) {
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, h.WrapErr(err)
	}
	return matcher, nil
}
