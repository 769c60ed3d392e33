// Package problem turns errors into answers: the handler webhook_problem, and
// the one table of codes and statuses.
package problem

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/hook"
)

// documentation is where the codes are explained; RFC 9457, section 3.1.1.
const documentation = "https://github.com/hookgate/hookgate/blob/main/docs/answers.md#"

func init() {
	caddy.RegisterModule(new(Handler))
	parse.RegisterHandler("webhook_problem", parseCaddyfile)
}

// Handler answers an error as application/problem+json (RFC 9457) with a
// stable code, for a person and for a program. It belongs into an error route:
//
//	handle_errors {
//		webhook_problem
//	}
//
// genesys_webhook brings its own. The members are type, title, status, detail,
// instance, code, error (the short text that older receivers sent) and, where
// a contract was not met, errors with a pointer and a code each. No value of
// the body, no secret and no stack is ever among them.
type Handler struct{}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhook_problem",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Observer is told of each answer given. It is looked for in the request's
// variables under ObserverVar.
type Observer interface {
	// Refused is called once, before the answer is written. The code is empty
	// where the error is none of ours.
	Refused(r *http.Request, code hook.Code, status int, err error)
}

// ObserverVar is the name of the request variable that may hold an Observer.
const ObserverVar = "hookgate"

// document is the answer's body.
type document struct {
	Type     string           `json:"type"`
	Title    string           `json:"title"`
	Status   int              `json:"status"`
	Detail   string           `json:"detail,omitempty"`
	Instance string           `json:"instance,omitempty"`
	Code     hook.Code        `json:"code,omitempty"`
	Error    string           `json:"error"`
	Errors   []hook.Violation `json:"errors,omitempty"`
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	err, _ := r.Context().Value(caddyhttp.ErrorCtxKey).(error)
	if err == nil {
		err = &hook.Error{Code: hook.CodeMisconfigured, Detail: "webhook_problem stands outside an error route"}
	}
	doc, retryAfter := describe(err)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok && doc.Instance == "" {
		doc.Instance, _ = repl.GetString("http.request.uuid")
	}
	if o, ok := caddyhttp.GetVar(r.Context(), ObserverVar).(Observer); ok {
		o.Refused(r, doc.Code, doc.Status, err)
	}

	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if retryAfter > 0 && header.Get("Retry-After") == "" { // whoever refused may know better
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(retryAfter.Seconds()))))
	}
	setForCode(header, r, doc.Code, err)

	body, merr := json.Marshal(doc)
	if merr != nil {
		return caddyhttp.Error(http.StatusInternalServerError, merr)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(doc.Status)
	_, _ = w.Write(append(body, '\n')) // the sender is gone: nobody is left to tell
	return nil
}

// setForCode sets the header fields that only one code has.
func setForCode(header http.Header, r *http.Request, code hook.Code, err error) {
	switch code {
	case hook.CodeMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case hook.CodeUnauthorized, hook.CodeStale:
		challenge := "Hookgate"
		if e, ok := errors.AsType[*hook.Error](err); ok && e.Challenge != "" {
			challenge = e.Challenge
		}
		header.Set("WWW-Authenticate", challenge)
	case hook.CodeForbidden, hook.CodeTooManyRefused:
		// An outsider's body is not worth the wait for the rest of it. On
		// HTTP/2 the same would end the connection of others, and towards a
		// trusted proxy as well.
		if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); r.ProtoMajor == 1 && !trusted {
			header.Set("Connection", "close")
		}
	}
}

// describe makes the document for an error, and says when to come back.
func describe(err error) (document, time.Duration) {
	var doc document
	doc.Code, doc.Status = resolve(err)
	if he, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		doc.Instance = he.ID
	}

	a, known := answers[doc.Code]
	if !known {
		doc.Type, doc.Title = "about:blank", http.StatusText(doc.Status)
		doc.Error, doc.Detail = doc.Title, "the request was refused and no event was taken"
		return doc, 0
	}
	doc.Type, doc.Title, doc.Detail = documentation+string(doc.Code), a.title, a.detail
	doc.Error = a.short
	if doc.Error == "" {
		doc.Error = a.title
	}
	retryAfter := a.retryAfter
	if e, ok := errors.AsType[*hook.Error](err); ok {
		if e.Detail != "" {
			doc.Detail = e.Detail
		}
		if e.RetryAfter > 0 {
			retryAfter = e.RetryAfter
		}
		doc.Errors = e.Violations
	}
	return doc, retryAfter
}

// parseCaddyfile sets up the handler. Syntax:
//
//	webhook_problem [<matcher>]
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	p := new(Handler)
	return p, p.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own name
	if d.NextArg() {
		return d.ArgErr()
	}
	if nesting := d.Nesting(); d.NextBlock(nesting) {
		return d.Errf("webhook_problem takes no block")
	}
	return nil
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
