// Package auth is the handler webhook_auth: it checks that a request comes from
// who it says.
package auth

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/internal/around"
	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/hook"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler lets a request pass that shows what all its rules ask for: a secret
// in a header field, the signature of Open Messaging, or that of Standard
// Webhooks. Each rule may have two secrets, for the change from one to the
// next. Signatures are checked on the raw body, before anything is read into
// it, and only after the rules that need no body.
//
// Caddy, unless its server is told to expect them, and other proxies drop
// header fields with an underscore or a dot in their names. A rule for one of
// those would refuse everybody, so it is refused itself.
//
// Errors: 401 unauthorized, which does not say what was wrong, 401 stale for a
// right signature of another time, and those of reading the body, such as 413.
type Handler struct {
	// The rules, all of which a request must meet. At least one is required.
	Rules []Rule `json:"rules,omitempty"`

	// The largest body in bytes, where a signature needs it. Default: 65536.
	MaxBody int64 `json:"max_body,omitempty"`

	verifiers []verifier
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhook_auth",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision implements caddy.Provisioner.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.provision(); err != nil {
		return fmt.Errorf("webhook_auth%s: %w", around.Hook(ctx), err)
	}
	return nil
}

func (h *Handler) provision() error {
	if len(h.Rules) == 0 {
		return errors.New("a rule is required")
	}
	if h.MaxBody < 0 {
		return fmt.Errorf("max_body: %d is not a size", h.MaxBody)
	}
	if err := checkRules(h.Rules); err != nil {
		return err
	}
	// Those that need no body come first: they cost nothing.
	var later []verifier
	for i := range h.Rules {
		v, err := h.Rules[i].verifier()
		if err != nil {
			return err
		}
		if h.Rules[i].Scheme == SchemeHeader {
			if err := request.CheckFieldName(h.Rules[i].Header); err != nil {
				return err
			}
		}
		if v.needsBody() {
			later = append(later, v)
			continue
		}
		h.verifiers = append(h.verifiers, v)
	}
	h.verifiers = append(h.verifiers, later...)
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	for _, v := range h.verifiers {
		var body []byte
		if v.needsBody() {
			var err error
			if body, err = request.Body(r, h.MaxBody); err != nil {
				return problem.Error(err)
			}
		}
		begin := time.Now()
		err := v.verify(r.Header, body, begin)
		request.Of(r).Took(telemetry.StageAuth, time.Since(begin))
		if err != nil {
			return problem.Error(refusal(v, err))
		}
	}
	return next.ServeHTTP(w, r)
}

func refusal(v verifier, err error) error {
	code := hook.CodeUnauthorized
	if errors.Is(err, errStale) {
		code = hook.CodeStale
	}
	return &hook.Error{Code: code, Challenge: v.challenge()}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
