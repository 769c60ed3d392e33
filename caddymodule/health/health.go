// Package health is the handler hookgate_health: whether the process lives, and
// whether it can take events now.
package health

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
)

// The paths that are answered.
const (
	LivePath  = "/healthz"
	ReadyPath = "/readyz"
)

func init() {
	caddy.RegisterModule(new(Handler))
	parse.RegisterHandler("hookgate_health", parseCaddyfile)
}

// Handler answers GET and HEAD on /healthz, 200 as long as the process lives,
// and on /readyz, 200 when events can be taken and 503 with the reasons when
// not, or when the server is about to stop (shutdown_delay). Remarks say what an operator should know meanwhile, such as that events
// are spooled, or that the list of the addresses of Genesys Cloud is older than
// seven days. Where they are asked for, their number and the age of the list are
// shown. Any other request goes on. The answers name no address and no secret.
type Handler struct {
	runtime *app.Runtime
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hookgate_health",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision implements caddy.Provisioner.
func (h *Handler) Provision(ctx caddy.Context) (err error) {
	h.runtime, err = app.Of(ctx)
	return err
}

// report is the answer's body.
type report struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
	Remarks []string `json:"remarks,omitempty"`

	Allowlist *allowlist `json:"allowlist,omitempty"` // of /readyz alone
}

// allowlist is what there is to say of the addresses of Genesys Cloud.
type allowlist struct {
	Ranges     int   `json:"ranges"`
	AgeSeconds int64 `json:"age_seconds"`
}

// seeRanges returns what there is to say, if there is a list.
func seeRanges(ranges *app.Ranges) *allowlist {
	if ranges == nil {
		return nil
	}
	s := ranges.Stats()
	if !s.Known {
		return nil
	}
	return &allowlist{Ranges: s.Ranges, AgeSeconds: int64(s.Age.Seconds())}
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.Path != LivePath && r.URL.Path != ReadyPath {
		return next.ServeHTTP(w, r)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("health is asked with GET"))
	}
	status, rep := http.StatusOK, report{Status: "ok"}
	if r.URL.Path == ReadyPath {
		rep.Status = "ready"
		rep.Reasons = h.runtime.Unready()
		if shuttingDown(r) {
			rep.Reasons = append(rep.Reasons, "the server is about to stop")
			w.Header().Set("Connection", "close") // in a reload the new config's server is asked next
		}
		if len(rep.Reasons) > 0 {
			status, rep.Status = http.StatusServiceUnavailable, "unavailable"
		}
		rep.Remarks = h.runtime.Remarks()
		rep.Allowlist = seeRanges(h.runtime.Ranges())
	}
	body, err := json.Marshal(rep)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// shuttingDown reports whether the time of Caddy's shutdown_delay runs, in which
// events are taken and a load balancer is to send elsewhere
// (https://caddyserver.com/docs/caddyfile/options#shutdown-delay).
func shuttingDown(r *http.Request) bool {
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if repl == nil {
		return false
	}
	down, _ := repl.Get("http.shutting_down")
	return down == true
}

// parseCaddyfile sets up the handler. Syntax:
//
//	hookgate_health [<matcher>]
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
	return parse.Block(d, nil)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
