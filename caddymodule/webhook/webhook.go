// Package webhook is the directive genesys_webhook: Hookgate's handlers
// composed, with safe defaults.
package webhook

import (
	"encoding/json"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/allowlist"
	"github.com/hookgate/hookgate/caddymodule/auth"
	"github.com/hookgate/hookgate/caddymodule/failfast"
	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/publish"
	"github.com/hookgate/hookgate/caddymodule/validate"
)

// Defaults of a hook, where they are not those of its handlers.
const (
	DefaultContract    = "pe-action-map"
	DefaultMaxInFlight = 512
)

// hookConfig is what a genesys_webhook block says.
type hookConfig struct {
	app            any // the global option hookgate; nil for none
	name           string
	source         string
	allow          []json.RawMessage // ip sources; nil with allowAny
	allowAny       bool
	publicRanges   bool // the allowed addresses are other people's too
	rules          []auth.Rule
	validate       validate.Handler
	publish        publish.Handler
	timeout        caddy.Duration
	maxInFlight    int
	maxRefused     int // a second and address; 0: fail_fast's default, -1: any
	contractIsNone bool
}

// applyDefaults fills in what the block left open.
func (c *hookConfig) applyDefaults() {
	c.applySource()
	if c.contractIsOpen() {
		c.validate.Contract = DefaultContract
	}
	if c.name == "" {
		c.name = c.validate.Contract
	}
	if c.timeout == 0 {
		c.timeout = caddy.Duration(failfast.DefaultBudget)
	}
	if c.maxInFlight == 0 {
		c.maxInFlight = DefaultMaxInFlight
	}
	if c.validate.OnContractViolation == "" {
		c.validate.OnContractViolation = validate.Park
	}
	c.validate.Hook = c.name
	c.publish.Timeout = c.timeout
}

// stages returns the composed handlers, and the route for their errors.
func (c *hookConfig) stages() *caddyhttp.Subroute {
	route := func(handlers ...json.RawMessage) caddyhttp.RouteList {
		return caddyhttp.RouteList{{HandlersRaw: handlers}}
	}
	handle := func(h any, name string) json.RawMessage {
		return caddyconfig.JSONModuleObject(h, "handler", name, nil)
	}
	way := []json.RawMessage{
		handle(&failfast.Handler{Hook: c.name, Budget: c.timeout, MaxInFlight: c.maxInFlight, MaxRefused: c.maxRefused}, "fail_fast"),
		handle(&allowlist.Handler{SourcesRaw: c.allow}, "webhook_allow"),
	}
	if len(c.rules) > 0 {
		way = append(way, handle(&auth.Handler{Rules: c.rules, MaxBody: c.validate.MaxBody}, "webhook_auth"))
	}
	way = append(way, handle(&c.validate, "webhook_validate"), handle(&c.publish, "webhook_publish"))

	// One route for all: Caddy makes a chain of a subroute's routes anew for
	// each request.
	return &caddyhttp.Subroute{
		Routes: route(way...),
		Errors: &caddyhttp.HTTPErrorConfig{Routes: route(handle(new(problem.Handler), "webhook_problem"))},
	}
}

// path is where a hook is when the directive has no matcher.
func (c *hookConfig) path() string { return "/webhooks/genesys/" + c.name }

// minTimeout leaves time for claim and publish.
const minTimeout = 100 * time.Millisecond
