// Package caddymodule plugs all of Hookgate's modules into Caddy.
package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	_ "github.com/hookgate/hookgate/caddymodule/admin"
	_ "github.com/hookgate/hookgate/caddymodule/allowlist"
	_ "github.com/hookgate/hookgate/caddymodule/app"
	_ "github.com/hookgate/hookgate/caddymodule/auth"
	_ "github.com/hookgate/hookgate/caddymodule/command"
	_ "github.com/hookgate/hookgate/caddymodule/dedup"
	_ "github.com/hookgate/hookgate/caddymodule/failfast"
	_ "github.com/hookgate/hookgate/caddymodule/handlers"
	_ "github.com/hookgate/hookgate/caddymodule/health"
	_ "github.com/hookgate/hookgate/caddymodule/problem"
	_ "github.com/hookgate/hookgate/caddymodule/publish"
	_ "github.com/hookgate/hookgate/caddymodule/validate"
	_ "github.com/hookgate/hookgate/caddymodule/webhook"
)

// The order of the directives is registered here, in one place: each goes
// directly before its landmark, so that the order of these lines is theirs.
func init() {
	httpcaddyfile.RegisterDirectiveOrder("fail_fast", httpcaddyfile.Before, "request_body")
	for _, directive := range []string{
		"webhook_allow",
		"webhook_auth",
		"webhook_validate",
		"webhook_dedup",
		"webhook_publish",
		"webhook_problem",
		"genesys_webhook",
		"hookgate_health",
	} {
		httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.Before, "handle")
	}
}
