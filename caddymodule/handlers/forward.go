// Package handlers has the modules in hookgate.handlers: what the consumer can
// do with an event.
package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/forward"
)

func init() {
	caddy.RegisterModule(new(Forward))
	caddy.RegisterModule(new(Log))
}

// Forward posts events to an existing service: the body as it was received,
// with the event ID as Idempotency-Key, what is known of the event in
// X-Hookgate- header fields, and the trace context of the request. It follows
// no redirect.
//
// A 2xx says that the event is processed. After 400, 410, 413, 415 and 422 it
// is a dead letter at once; after anything else it is tried again, no sooner
// than Retry-After says where one of the consumer's retries is as long.
type Forward struct {
	// Where to. It may hold placeholders; credentials in it must be one.
	// Required.
	URL string `json:"url,omitempty"`

	// How long an attempt may take. Default: 30s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Header fields that are sent with each event. Their values may hold
	// placeholders. Default: none.
	Header map[string]string `json:"header,omitempty"`

	// A file with a token, sent as Bearer credentials, and read anew for each
	// event. Default: none.
	BearerFile string `json:"bearer_file,omitempty"`

	// A file with user:password, sent as Basic credentials, and read anew for
	// each event. Default: none.
	BasicFile string `json:"basic_file,omitempty"`

	opts forward.Options
}

// CaddyModule returns the Caddy module information.
func (*Forward) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "hookgate.handlers.forward", New: func() caddy.Module { return new(Forward) }}
}

// Provision implements caddy.Provisioner. It connects to nothing.
func (f *Forward) Provision(caddy.Context) (err error) {
	if err := f.checkSecrets(); err != nil {
		return err
	}
	if f.opts, err = f.options(placeholder.Resolve); err != nil {
		return err
	}
	return f.opts.Check()
}

// options returns the settings with what resolve makes of their texts.
func (f *Forward) options(resolve func(string) (string, error)) (opts forward.Options, err error) {
	opts.Timeout = time.Duration(f.Timeout)
	for text, p := range map[*string]*string{&f.URL: &opts.URL, &f.BearerFile: &opts.BearerFile, &f.BasicFile: &opts.BasicFile} {
		if *p, err = resolve(*text); err != nil {
			return opts, fmt.Errorf("forward: %w", err)
		}
	}
	for name, text := range f.Header {
		value, err := resolve(text)
		if err != nil {
			return opts, fmt.Errorf("forward: header %s: %w", name, err)
		}
		if opts.Header == nil {
			opts.Header = make(http.Header, len(f.Header))
		}
		if len(opts.Header.Values(name)) > 0 {
			return opts, fmt.Errorf("forward: header %s is already specified", http.CanonicalHeaderKey(name))
		}
		opts.Header.Set(name, value)
	}
	return opts, nil
}

var (
	// userInURL finds the credentials in a URL.
	userInURL = regexp.MustCompile(`^[^/?#]*//([^/?#]*)@`)

	// secretHeader are names of header fields that hold a secret.
	secretHeader = regexp.MustCompile(`(?i)authorization|cookie|token|secret|passw|api-?key`)
)

// checkSecrets looks for secrets that stand in the config itself, and never quotes
// what it finds.
func (f *Forward) checkSecrets() error {
	if m := userInURL.FindStringSubmatch(placeholder.Replace(f.URL, hole)); m != nil {
		user, password, both := strings.Cut(m[1], ":")
		if !strings.Contains(password, hole) && (both || !strings.Contains(user, hole)) {
			return errors.New("forward: credentials do not stand here themselves: write {env.NAME} or {file./path}, or use basic_file")
		}
	}
	for name, value := range f.Header {
		if secretHeader.MatchString(name) && !placeholder.In(value) {
			return fmt.Errorf("forward: header %s: a secret does not stand here itself: write {env.NAME} or {file./path}, or use bearer_file", name)
		}
	}
	return nil
}

// hole stands in the place of a placeholder, and nowhere else in a config.
const hole = "\x00"

// check holds the settings against what can be said of them without what the
// placeholders stand for.
func (f *Forward) check() error {
	if err := f.checkSecrets(); err != nil {
		return err
	}
	opts, err := f.options(func(text string) (string, error) { return placeholder.Replace(text, "placeholder"), nil })
	if err != nil {
		return err
	}
	if strings.Contains(f.URL, "{") {
		opts.URL = "http://placeholder" // whatever it is
	}
	return opts.Check()
}

// NewHandler implements app.HandlerDriver.
func (f *Forward) NewHandler(app.Env) (hook.Handler, error) { return forward.New(f.opts) }

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	forward <url> {
//		timeout     <duration>
//		header      <name> <value>
//		bearer_file <path>
//		basic_file  <path>
//	}
func (f *Forward) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if !d.Next() || !d.NextArg() { // its name, and the URL
		return d.Err("forward: a URL is missing")
	}
	f.URL = d.Val()
	if !strings.Contains(f.URL, "{") && !strings.HasPrefix(f.URL, "http://") && !strings.HasPrefix(f.URL, "https://") {
		return d.Err("forward: the URL must begin with http:// or https://")
	}
	if err := f.check(); err != nil {
		return d.WrapErr(err)
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return parse.BlockRepeating(d, map[string]parse.Func{
		"timeout":     parse.Time(&f.Timeout),
		"bearer_file": parse.Checked(parse.String(&f.BearerFile), f.check),
		"basic_file":  parse.Checked(parse.String(&f.BasicFile), f.check),
		"header":      parse.Checked(f.parseHeader, f.check),
	}, "header")
}

func (f *Forward) parseHeader(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.Args(&name, &value) {
		return d.Err("header: a name and a value are needed")
	}
	if _, twice := f.Header[name]; twice {
		return d.Errf("header %s is already specified", name)
	}
	if f.Header == nil {
		f.Header = make(map[string]string)
	}
	f.Header[name] = value
	return nil
}

// Interface guards
var (
	_ app.HandlerDriver     = (*Forward)(nil)
	_ caddy.Provisioner     = (*Forward)(nil)
	_ caddyfile.Unmarshaler = (*Forward)(nil)
)
