package webhook

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

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
	block, lines := *d, make(parse.Lines)
	err := parse.BlockRepeating(d, lines.Note(map[string]parse.Func{
		"name":                  parse.Name(&c.name),
		"source":                parse.Word(&c.source, SourceDataAction, SourceOpenMessaging),
		"allow":                 c.parseAllow,
		"auth":                  c.parseAuth,
		"max_event_age":         parse.Time(&c.validate.MaxEventAge),
		"contract":              c.parseContract,
		"event_id":              c.validate.ParseEventID,
		"timeout":               parse.AtLeast(&c.timeout, minTimeout),
		"max_body":              parse.Size(&c.validate.MaxBody),
		"max_in_flight":         parse.Count(&c.maxInFlight),
		"max_refused":           parse.Rate(&c.maxRefused),
		"ttl":                   parse.Time(&c.publish.TTL),
		"on_contract_violation": parse.Word(&c.validate.OnContractViolation, validate.Park, validate.Reject),
		"on_conflict":           parse.Word(&c.publish.OnConflict, publish.Park, publish.Reject),
		"on_store_failure":      parse.Word(&c.publish.OnStoreFailure, publish.Publish, publish.Reject),
		"routing_key":           c.publish.ParseRoutingKey,
		"queue":                 c.publish.ParseQueue,
		"format":                c.publish.ParseFormat,
	}), "auth")
	if err != nil {
		return err
	}
	return c.complete(&block, lines)
}

// complete fills in the defaults, and refuses what they do not make whole.
func (c *hookConfig) complete(block *caddyfile.Dispenser, lines parse.Lines) error {
	c.applyDefaults()
	if err := c.checkSource(block, lines); err != nil {
		return err
	}
	if c.name == "" {
		return lines.At(block, "contract").Errf("a hook without a built-in contract needs a name")
	}
	if c.contractIsNone && c.validate.EventID == nil {
		return lines.At(block, "contract").Errf("a hook without a contract needs an event_id")
	}
	if err := c.validate.CheckTogether(block, lines); err != nil {
		return err
	}
	if err := c.publish.CheckTogether(block, lines); err != nil {
		return err
	}
	if err := c.publish.CheckOption(lines.At(block, "queue", "format"), c.app); err != nil {
		return err
	}
	if !c.allowAny && c.allow == nil {
		c.allow = allowlist.Default(c.app, services[c.source])
		c.publicRanges = !allowlist.OnlyPrivate(c.allow)
	}
	if c.publicRanges && len(c.rules) == 0 {
		caddy.Log().Named("genesys_webhook").Warn("public addresses may use this hook without auth: they serve every customer of Genesys Cloud",
			zap.String("hook", c.name), zap.String("file", block.File()), zap.Int("line", block.Line()))
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
	line := *d
	var err error
	if c.allow, err = allowlist.ParseArgs(d); err != nil {
		return err
	}
	c.publicRanges = !allowlist.OnlyPrivate(c.allow)
	return allowlist.CheckOption(&line, c.allow, c.app)
}

func (c *hookConfig) parseAuth(d *caddyfile.Dispenser) error {
	rule, err := auth.ParseRule(d)
	if err != nil {
		return err
	}
	c.rules = append(c.rules, rule)
	return auth.CheckRules(d, c.rules)
}

func (c *hookConfig) parseContract(d *caddyfile.Dispenser) error {
	if err := c.validate.ParseContract(d); err != nil {
		return err
	}
	c.contractIsNone = c.validate.Contract == "" && c.validate.ContractFile == ""
	return nil
}
