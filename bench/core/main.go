// Command core is Caddy with one handler that reads a webhook, takes its event ID
// from the JSON, and hands it to Hookgate's accepting core, with its store and its
// queue. It has none of the other handlers: no budget, no allowlist, no contract,
// no metrics, no answer but a status. It is what the promise alone costs in Caddy,
// and what Hookgate's handlers are measured against.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // plug in Caddy's own

	"github.com/hookgate/hookgate/accept"
	_ "github.com/hookgate/hookgate/caddymodule/admin" // counts what is in the queue
	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/hook"
)

func init() {
	caddy.RegisterModule(new(Keep))
	httpcaddyfile.RegisterHandlerDirective("keep", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("keep", httpcaddyfile.Before, "respond")
}

func main() { caddycmd.Main() }

// Keep takes an event, and answers 202, or 200 where it was there before.
type Keep struct {
	runtime *app.Runtime
}

// CaddyModule returns the Caddy module information.
func (*Keep) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.keep",
		New: func() caddy.Module { return new(Keep) },
	}
}

// Provision implements caddy.Provisioner.
func (k *Keep) Provision(ctx caddy.Context) (err error) {
	k.runtime, err = app.Of(ctx)
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (k *Keep) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	now := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var event struct {
		ID string `json:"webhookEventId"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	if err := k.runtime.Enter(r.Context()); err != nil {
		return err
	}
	defer k.runtime.Leave()
	const name = "pe-action-map"
	res, err := k.runtime.Gate.Accept(r.Context(), &hook.Event{
		ID: event.ID, Hook: name, RoutingKey: name, ContentType: "application/json", Body: body, ReceivedAt: now,
	}, accept.Policy{})
	switch {
	case err != nil:
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	case res.Outcome == hook.OutcomeDuplicate:
		w.WriteHeader(http.StatusOK)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
	return nil
}

// parseCaddyfile sets up the handler. Syntax:
//
//	keep [<matcher>]
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // the directive's own name
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	return new(Keep), nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Keep)(nil)
	_ caddyhttp.MiddlewareHandler = (*Keep)(nil)
)
