package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
)

// The schemes.
const (
	SchemeHeader           = "header"
	SchemeHubSignature     = "hub_signature"
	SchemeStandardWebhooks = "standard_webhooks"
)

var (
	// fieldName is a token, RFC 9110, sections 5.1 and 5.6.2.
	fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

	// placeholders is a text with at least one placeholder of the two kinds that
	// may hold a secret, and no other braces, not even escaped ones.
	placeholders = regexp.MustCompile(`^([^{}]*[^{}\\])?(\{(env|file)\.[^{}]*[^{}\\]\}([^{}]*[^{}\\])?)+$`)
)

// Rule is what a request must show.
type Rule struct {
	// header, hub_signature or standard_webhooks.
	Scheme string `json:"scheme"`

	// The name of the header field, for the scheme header.
	Header string `json:"header,omitempty"`

	// One secret, or two while one is replaced by the other. Each holds a
	// placeholder, {env.NAME} or {file./path}, such as "Bearer {env.TOKEN}": a
	// config is not the place for secrets. They are resolved when the config is
	// loaded. For standard_webhooks they are the base64 of 24 to 64 bytes, after
	// whsec_ or alone.
	Secrets []string `json:"secrets"`
}

// check holds a rule against what can be said of it without its secrets.
func (rule *Rule) check() error {
	switch rule.Scheme {
	case SchemeHeader:
		if !fieldName.MatchString(rule.Header) {
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
		if !placeholders.MatchString(s) {
			return errors.New("a secret does not stand here itself: write {env.NAME} or {file./path}")
		}
	}
	if len(rule.Secrets) == 2 && rule.Secrets[0] == rule.Secrets[1] {
		return errors.New("the two secrets are the same")
	}
	return nil
}

// String returns the beginning of the line that the rule is in a Caddyfile.
func (rule *Rule) String() string { return strings.TrimSuffix(rule.Scheme+" "+rule.Header, " ") }

// checkRules holds rules against each other: a request has one value for each, and
// must pass them all.
func checkRules(rules []Rule) error {
	seen := make(map[string]bool)
	for _, rule := range rules {
		name := strings.ToLower(rule.String())
		if seen[name] {
			return fmt.Errorf("%s is already specified, and every line must pass: write both secrets into one line, any of which will do", &rule)
		}
		seen[name] = true
	}
	return nil
}

// verifier resolves the secrets.
func (rule *Rule) verifier() (verifier, error) {
	if err := rule.check(); err != nil {
		return nil, err
	}
	var secrets []string
	for _, s := range rule.Secrets {
		secret, err := placeholder.Resolve(s)
		if err != nil {
			return nil, fmt.Errorf("a secret of %s: %w", rule, err)
		}
		secrets = append(secrets, secret)
	}
	switch rule.Scheme {
	case SchemeHeader:
		v := &headerSecret{name: rule.Header}
		for _, s := range secrets {
			if strings.TrimSpace(s) != s {
				return nil, fmt.Errorf("a secret of %s begins or ends with a space or line break, which no header field keeps", rule)
			}
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
			return nil, fmt.Errorf("a secret of %s: %w", rule, err)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}
