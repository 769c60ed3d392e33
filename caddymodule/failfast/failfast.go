// Package failfast is the handler fail_fast: an answer in time, whatever
// happens behind it.
package failfast

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/hook"
)

const (
	// DefaultBudget is the time for a request where none is set.
	DefaultBudget = 500 * time.Millisecond

	// margin is left of the budget, for the answer, when work ends.
	margin = 20 * time.Millisecond

	// minBudget leaves something beside the margin.
	minBudget = 50 * time.Millisecond

	// writeSlack is how much later than the budget a sender must have read
	// the answer.
	writeSlack = time.Second
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler bounds the whole of a request: its work ends 20 ms before the budget
// is over, through the request's context; its body must have arrived by then,
// through a read deadline; and only so many requests are worked on at once. It
// belongs first, so that its clock starts with the request, and it is not for
// streams.
//
// At the deadline the answer is 504 with the code deadline_exceeded, or
// outcome_unknown where the handlers behind it do not tell that nothing
// happened. Over the limit it is 503 with the code overloaded. Both are errors: webhook_problem in the
// error route answers them.
type Handler struct {
	// The name of the hook, for metrics and logs. Default: default.
	Hook string `json:"hook,omitempty"`

	// The time for a request, from its header to its answer; at least 50ms.
	// Default: 500ms.
	Budget caddy.Duration `json:"budget,omitempty"`

	// How many requests are worked on at once. Default: no limit.
	MaxInFlight int `json:"max_in_flight,omitempty"`

	recorder *telemetry.Recorder
	gauge    prometheus.Gauge
	inFlight atomic.Int64
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.fail_fast",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision implements caddy.Provisioner.
func (h *Handler) Provision(ctx caddy.Context) (err error) {
	if h.Budget == 0 {
		h.Budget = caddy.Duration(DefaultBudget)
	}
	if h.Hook == "" {
		h.Hook = hook.DefaultName
	}
	if h.recorder, err = telemetry.NewRecorder(ctx); err != nil {
		return err
	}
	h.gauge = h.recorder.InFlight(h.Hook)
	return nil
}

// Validate implements caddy.Validator.
func (h *Handler) Validate() error {
	if time.Duration(h.Budget) < minBudget {
		return fmt.Errorf("fail_fast: a budget of %s is less than %s", time.Duration(h.Budget), minBudget)
	}
	if h.MaxInFlight < 0 {
		return fmt.Errorf("fail_fast: max_in_flight is negative")
	}
	if !hook.ValidName(h.Hook) {
		return fmt.Errorf("fail_fast: %q cannot name a hook", h.Hook)
	}
	return nil
}

// HookName returns the name of the hook that the handler stands before.
func (h *Handler) HookName() string { return h.Hook }

// Longest returns how long a request may take.
func (h *Handler) Longest() time.Duration { return time.Duration(h.Budget) }

// errBudget is why the context ends. It unwraps to DeadlineExceeded and is a
// timeout, or reverse_proxy would call it a bad gateway.
type errBudget struct{}

func (errBudget) Error() string { return "the time for this request is over" }
func (errBudget) Timeout() bool { return true }
func (errBudget) Unwrap() error { return context.DeadlineExceeded }

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	st := request.Join(r, h.recorder, h.Hook)
	deadline := st.Start.Add(time.Duration(h.Budget))
	h.arm(w, r, deadline)

	h.gauge.Inc()
	defer h.gauge.Dec()
	defer h.inFlight.Add(-1)
	if n := h.inFlight.Add(1); h.MaxInFlight > 0 && n > int64(h.MaxInFlight) {
		return problem.Error(&hook.Error{Code: hook.CodeOverloaded})
	}

	ctx, cancel := context.WithDeadlineCause(r.Context(), deadline.Add(-margin), errBudget{})
	defer cancel()
	err := next.ServeHTTP(w, r.WithContext(ctx))
	return late(ctx, err)
}

// arm bounds the reading of the body and the writing of the answer. A read
// deadline is set only where there is a body, and before its first read: set
// later it would fire in net/http's background read and end the connection's
// next requests (https://go.dev/issue/70834). It also bounds how long net/http
// waits for the rest of a body that was answered unread.
func (h *Handler) arm(w http.ResponseWriter, r *http.Request, deadline time.Time) {
	rc := http.NewResponseController(w)
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		_ = rc.SetReadDeadline(deadline) // not supported: the context still ends the work
	}
	_ = rc.SetWriteDeadline(deadline.Add(writeSlack))
}

// late gives an error that our deadline caused its code. What knows its code
// already keeps it. Of the other handlers only reverse_proxy tells us when it
// got no connection; else nobody knows what the request has done by then.
func late(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*hook.Error](err); ok {
		return err
	}
	if !errors.Is(context.Cause(ctx), errBudget{}) || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[reverseproxy.DialError](err); ok {
		return problem.Error(&hook.Error{Code: hook.CodeDeadlineExceeded, Err: err})
	}
	return problem.Error(&hook.Error{Code: hook.CodeOutcomeUnknown, Err: &hook.InDoubt{Cause: err}})
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
