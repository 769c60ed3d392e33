package auth

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/caddymodule/request"
)

func init() {
	parse.RegisterHandler("webhook_auth", parseCaddyfile)
}

// parseCaddyfile sets up the handler. Syntax:
//
//	webhook_auth [<matcher>] header|hub_signature|standard_webhooks ... {
//		header            <name> <secret> [<secret>]
//		hub_signature     <secret> [<secret>]
//		standard_webhooks <secret> [<secret>]
//		max_body          <size>
//	}
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(Handler)
	return a, a.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own name
	if args := d.RemainingArgs(); len(args) > 0 {
		rule, err := makeRule(d, args)
		if err != nil {
			return err
		}
		h.Rules = append(h.Rules, rule)
	}
	scheme := func(d *caddyfile.Dispenser) error {
		rule, err := makeRule(d, append([]string{d.Val()}, d.RemainingArgs()...))
		if err != nil {
			return err
		}
		h.Rules = append(h.Rules, rule)
		return CheckRules(d, h.Rules)
	}
	err := parse.BlockRepeating(d, map[string]parse.Func{
		SchemeHeader:           scheme,
		SchemeHubSignature:     scheme,
		SchemeStandardWebhooks: scheme,
		"max_body":             parse.Size(&h.MaxBody),
	}, SchemeHeader, SchemeHubSignature, SchemeStandardWebhooks)
	if err == nil && len(h.Rules) == 0 {
		return d.Err("webhook_auth: a rule is missing")
	}
	return err
}

// CheckRules holds rules against each other. d is the place of the last one.
func CheckRules(d *caddyfile.Dispenser, rules []Rule) error {
	if err := checkRules(rules); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// ParseRule reads what is left of the current line:
//
//	header            <name> <secret> [<secret>]
//	hub_signature     <secret> [<secret>]
//	standard_webhooks <secret> [<secret>]
func ParseRule(d *caddyfile.Dispenser) (Rule, error) {
	option := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 {
		return Rule{}, d.Errf("%s: a scheme is missing", option)
	}
	return makeRule(d, args)
}

func makeRule(d *caddyfile.Dispenser, args []string) (Rule, error) {
	rule := Rule{Scheme: args[0], Secrets: args[1:]}
	if rule.Scheme == SchemeHeader {
		if len(args) < 3 {
			return Rule{}, d.Errf("header needs the name of a header field and a secret")
		}
		rule.Header, rule.Secrets = args[1], args[2:]
		if err := request.CheckFieldName(rule.Header); err != nil {
			return Rule{}, d.Errf("header: %v", err)
		}
	}
	if err := rule.check(); err != nil {
		return Rule{}, d.Errf("%v", err)
	}
	return rule, nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
