package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// The schemes.
const (
	SchemeHeader           = "header"
	SchemeHubSignature     = "hub_signature"
	SchemeStandardWebhooks = "standard_webhooks"
)

// Rule is what a request must show.
type Rule struct {
	// header, hub_signature or standard_webhooks.
	Scheme string `json:"scheme"`

	// The name of the header field, for the scheme header.
	Header string `json:"header,omitempty"`

	// One secret, or two while one is replaced by the other. Each is a
	// placeholder, {env.NAME} or {file./path}: a config is not the place for
	// secrets.
	Secrets []string `json:"secrets"`
}

// check holds a rule against what can be said of it without its secrets.
func (rule *Rule) check() error {
	switch rule.Scheme {
	case SchemeHeader:
		if rule.Header == "" || textproto.TrimString(rule.Header) != rule.Header || strings.ContainsAny(rule.Header, " :{}") {
			return fmt.Errorf("%q is no name of a header field", rule.Header)
		}
	case SchemeHubSignature, SchemeStandardWebhooks:
		if rule.Header != "" {
			return fmt.Errorf("%s has a header field of its own", rule.Scheme)
		}
	default:
		return fmt.Errorf("%q is none of %s, %s, %s", rule.Scheme, SchemeHeader, SchemeHubSignature, SchemeStandardWebhooks)
	}
	if n := len(rule.Secrets); n < 1 || n > 2 {
		return fmt.Errorf("%s needs one secret, or two", rule.Scheme)
	}
	for _, s := range rule.Secrets {
		if !strings.HasPrefix(s, "{env.") && !strings.HasPrefix(s, "{file.") || !strings.HasSuffix(s, "}") {
			return errors.New("a secret does not stand here itself: write {env.NAME} or {file./path}")
		}
	}
	if len(rule.Secrets) == 2 && rule.Secrets[0] == rule.Secrets[1] {
		return errors.New("the two secrets are the same")
	}
	return nil
}

// verifier resolves the secrets.
func (rule *Rule) verifier() (verifier, error) {
	if err := rule.check(); err != nil {
		return nil, err
	}
	repl := caddy.NewReplacer()
	var secrets []string
	for _, s := range rule.Secrets {
		secret, err := repl.ReplaceOrErr(s, true, true)
		if err != nil {
			return nil, fmt.Errorf("a secret of %s is not set: %w", rule.Scheme, err)
		}
		secrets = append(secrets, secret)
	}
	switch rule.Scheme {
	case SchemeHeader:
		v := &headerSecret{name: rule.Header}
		for _, s := range secrets {
			v.digests = append(v.digests, sha256.Sum256([]byte(s)))
		}
		return v, nil
	case SchemeHubSignature:
		v := new(hubSignature)
		for _, s := range secrets {
			v.keys = append(v.keys, []byte(s))
		}
		return v, nil
	}
	v := new(standardWebhooks)
	for _, s := range secrets {
		key, err := standardKey(s)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
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
	}
	if err := rule.check(); err != nil {
		return Rule{}, d.Errf("%v", err)
	}
	return rule, nil
}
