// Package webhook is the directive genesys_webhook: Hookgate's handlers
// composed, with safe defaults.
package webhook

import (
	"encoding/json"
	"net/http"
	"strconv"
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
	handle := func(h any, name string) json.RawMessage {
		return caddyconfig.JSONModuleObject(h, "handler", name, nil)
	}
	refuse := func(status int) json.RawMessage {
		return handle(&caddyhttp.StaticError{StatusCode: caddyhttp.WeakString(strconv.Itoa(status))}, "error")
	}
	not := func(matcher string, value any) caddyhttp.RawMatcherSets {
		return caddyhttp.RawMatcherSets{caddy.ModuleMap{
			"not": caddyconfig.JSON([]caddy.ModuleMap{{matcher: caddyconfig.JSON(value, nil)}}, nil),
		}}
	}

	routes := caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{
		handle(&failfast.Handler{Hook: c.name, Budget: c.timeout, MaxInFlight: c.maxInFlight, MaxRefused: c.maxRefused}, "fail_fast"),
	}}}
	if !c.allowAny {
		routes = append(routes, caddyhttp.Route{
			MatcherSetsRaw: not("client_ip_source", &allowlist.MatchClientIPSource{SourcesRaw: c.allow}),
			HandlersRaw:    []json.RawMessage{refuse(http.StatusForbidden)},
		})
	}
	routes = append(routes, caddyhttp.Route{
		MatcherSetsRaw: not("method", caddyhttp.MatchMethod{http.MethodPost}),
		HandlersRaw:    []json.RawMessage{refuse(http.StatusMethodNotAllowed)},
	})
	var last []json.RawMessage
	if len(c.rules) > 0 {
		last = append(last, handle(&auth.Handler{Rules: c.rules, MaxBody: c.validate.MaxBody}, "webhook_auth"))
	}
	last = append(last, handle(&c.validate, "webhook_validate"), handle(&c.publish, "webhook_publish"))
	routes = append(routes, caddyhttp.Route{HandlersRaw: last})

	return &caddyhttp.Subroute{
		Routes: routes,
		Errors: &caddyhttp.HTTPErrorConfig{Routes: caddyhttp.RouteList{{
			HandlersRaw: []json.RawMessage{handle(new(problem.Handler), "webhook_problem")},
		}}},
	}
}

// path is where a hook is when the directive has no matcher.
func (c *hookConfig) path() string { return "/webhooks/genesys/" + c.name }

// minTimeout leaves time for claim and publish.
const minTimeout = 100 * time.Millisecond
