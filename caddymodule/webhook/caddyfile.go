package webhook

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/caddymodule/allowlist"
	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/auth"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/caddymodule/publish"
	"github.com/hookgate/hookgate/caddymodule/validate"
)

func init() {
	httpcaddyfile.RegisterDirective("genesys_webhook", parseCaddyfile)
}

// parseCaddyfile sets up a hook: a subroute with its own error route. Syntax:
//
//	genesys_webhook [<matcher>] {
//		name                  <hook>
//		source                data-action | open-messaging
//		allow                 private_ranges | any | <cidr>... | genesys <service>... { observe } | file <path> [<service>...]
//		auth                  header <name> <secret> [<secret>] | hub_signature <secret> [<secret>] | standard_webhooks <secret> [<secret>]
//		max_event_age         <duration>
//		contract              <name> | file <path> | none
//		event_id              <pointer>... | header <name> | body
//		timeout               <duration>
//		max_body              <size>
//		max_in_flight         <count>
//		max_refused           <count>/s | off
//		ttl                   <duration>
//		on_contract_violation park | reject
//		on_conflict           park | reject
//		on_store_failure      publish | reject
//		routing_key           <key>
//		queue                 <name>
//		format                raw | celery <task> { queue <name> }
//	}
//
// Without a matcher the hook is at /webhooks/genesys/<name>. Hooks with the
// same name are one hook in several places: they share their event IDs, and
// must read them in the same way. auth may stand
// several times: every line must pass.
//
// Defaults: the name of the contract, private_ranges (the addresses of the
// source's service, where there is a source and the global option has genesys),
// no auth, the contract pe-action-map (open-messaging for the source of that
// name), 500ms, 64KiB, 512, 50/s, 48h, park, park, and reject (publish for the
// source data-action, which never sends again).
func parseCaddyfile(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive's own name
	place := fmt.Sprintf("%s:%d", h.File(), h.Line())
	matcher, err := parse.Matcher(h)
	if err != nil {
		return nil, err
	}
	c := &hookConfig{app: h.Option(app.Name)}
	if err := c.unmarshal(h.Dispenser); err != nil {
		return nil, err
	}
	if err := c.claimName(h, place); err != nil {
		return nil, err
	}
	if matcher == nil {
		matcher = caddy.ModuleMap{"path": h.JSON(caddyhttp.MatchPath{c.path()})}
	}
	return h.NewRoute(matcher, c.stages()), nil
}

// unmarshal reads the block and fills in the defaults.
func (c *hookConfig) unmarshal(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own name
	if d.NextArg() {
		return d.ArgErr()
	}
	err := parse.BlockRepeating(d, map[string]parse.Func{
		"name":                  parse.Name(&c.name),
		"source":                parse.Word(&c.source, SourceDataAction, SourceOpenMessaging),
		"allow":                 c.parseAllow,
		"auth":                  c.parseAuth,
		"max_event_age":         parse.Time(&c.validate.MaxEventAge),
		"contract":              c.parseContract,
		"event_id":              c.validate.ParseEventID,
		"timeout":               c.parseTimeout,
		"max_body":              parse.Size(&c.validate.MaxBody),
		"max_in_flight":         parse.Count(&c.maxInFlight),
		"max_refused":           parse.Rate(&c.maxRefused),
		"ttl":                   parse.Time(&c.publish.TTL),
		"on_contract_violation": parse.Word(&c.validate.OnContractViolation, validate.Park, validate.Reject),
		"on_conflict":           parse.Word(&c.publish.OnConflict, publish.Park, publish.Reject),
		"on_store_failure":      parse.Word(&c.publish.OnStoreFailure, publish.Publish, publish.Reject),
		"routing_key":           parse.String(&c.publish.RoutingKey),
		"queue":                 c.publish.ParseQueue,
		"format":                c.publish.ParseFormat,
	}, "auth")
	if err != nil {
		return err
	}
	return c.complete(d)
}

// complete fills in the defaults, and refuses what they do not make whole.
func (c *hookConfig) complete(d *caddyfile.Dispenser) error {
	c.applyDefaults()
	if err := c.checkSource(d); err != nil {
		return err
	}
	if c.name == "" {
		return d.Errf("a hook without a built-in contract needs a name")
	}
	if c.contractIsNone && c.validate.EventID == nil {
		return d.Errf("a hook without a contract needs an event_id")
	}
	if c.contractIsNone && c.validate.MaxEventAge != 0 {
		return d.Errf("max_event_age needs a contract that says where the timestamp is")
	}
	if ttl, lease := time.Duration(c.publish.TTL), accept.Lease(time.Duration(c.timeout)); ttl != 0 && ttl < lease {
		return d.Errf("ttl: %s is shorter than the time for which an ID is taken while its event is, %s", ttl, lease)
	}
	if c.publish.Queue != "" && c.publish.RoutingKey != "" {
		return d.Errf("routing_key and a queue exclude each other: the queue's name is its key")
	}
	if !c.allowAny && c.allow == nil {
		c.allow = allowlist.Default(c.app, services[c.source])
		c.publicRanges = !allowlist.OnlyPrivate(c.allow)
	}
	if c.publicRanges && len(c.rules) == 0 {
		caddy.Log().Named("genesys_webhook").Warn("public addresses may use this hook without auth: they serve every customer of Genesys Cloud",
			zap.String("hook", c.name), zap.String("file", d.File()), zap.Int("line", d.Line()))
	}
	return nil
}

func (c *hookConfig) parseAllow(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("allow: what to allow is missing")
	}
	if d.Val() == "any" {
		c.allowAny, c.publicRanges = true, true
		return nil
	}
	d.Prev()
	var err error
	c.allow, err = allowlist.ParseArgs(d)
	c.publicRanges = err == nil && !allowlist.OnlyPrivate(c.allow)
	return err
}

func (c *hookConfig) parseAuth(d *caddyfile.Dispenser) error {
	rule, err := auth.ParseRule(d)
	if err != nil {
		return err
	}
	c.rules = append(c.rules, rule)
	return nil
}

func (c *hookConfig) parseContract(d *caddyfile.Dispenser) error {
	if err := c.validate.ParseContract(d); err != nil {
		return err
	}
	c.contractIsNone = c.validate.Contract == "" && c.validate.ContractFile == ""
	return nil
}

func (c *hookConfig) parseTimeout(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("timeout: a duration is missing")
	}
	v, err := parse.OptionDuration(d, "timeout", minTimeout)
	c.timeout = caddy.Duration(v)
	return err
}
