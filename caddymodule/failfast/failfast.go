// Package failfast is the handler fail_fast: an answer in time, whatever
// happens behind it.
package failfast

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
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

	// patience is how long the answer to a request that is shed waits for the
	// body at most: what has arrived is read over, and what has not is not worth
	// more.
	patience = 100 * time.Millisecond

	// DefaultMaxRefused is how many refused requests a second an address may
	// have where nothing is set.
	DefaultMaxRefused = 50

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
// Under overload a request is refused before its body is read, where there are
// max_in_flight already, or where the work ahead of it would take more than
// three quarters of its budget: as many as there are, in the pace in which the
// last ones got done. Requests count as work once webhook_auth or
// webhook_validate has their body, and 16 at once are always let in.
//
// An address that has had max_refused requests a second refused, and ten
// seconds' worth of them at once, gets 429 for each further one that is refused,
// in place of the code that it would have had. A request that is good passes,
// whatever its address has done: a sender's addresses are shared by all its
// customers.
//
// At the deadline the answer is 504 with the code deadline_exceeded, or
// outcome_unknown where the handlers behind it do not tell that nothing
// happened. Under overload it is 503 overloaded, over max_refused 429
// too_many_refused. All are errors: webhook_problem in the error route answers
// them.
//
// After an HTTP/1.0 request, and a chunked one that may have come through a
// proxy, the connection is closed: where such a request ends may be in dispute.
type Handler struct {
	// The name of the hook, for metrics and logs. Default: default.
	Hook string `json:"hook,omitempty"`

	// The time for a request, from its header to its answer; at least 50ms.
	// Default: 500ms.
	Budget caddy.Duration `json:"budget,omitempty"`

	// How many requests are worked on at once. Default: no limit.
	MaxInFlight int `json:"max_in_flight,omitempty"`

	// How many requests a second of one address, an IPv6 /64 being one, may be
	// refused before the answer is 429; -1: any number. Default: 50.
	MaxRefused int `json:"max_refused,omitempty"`

	recorder *telemetry.Recorder
	gauge    prometheus.Gauge
	load     load
	refused  *refusals // nil: any number
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
	now := time.Now()
	h.load.epoch = now
	if h.MaxRefused == 0 {
		h.MaxRefused = DefaultMaxRefused
	}
	if h.MaxRefused > 0 {
		h.refused = newRefusals(h.MaxRefused, now)
	}
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
	if h.MaxRefused < -1 || h.MaxRefused > parse.MaxRate {
		return fmt.Errorf("fail_fast: max_refused is a number a second of at most %d, or -1", parse.MaxRate)
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
	closeAmbiguous(w, r)

	h.gauge.Inc()
	defer h.gauge.Dec()
	defer h.load.leave()
	n := h.load.enter()
	if err := h.shed(n, st.Start); err != nil {
		h.arm(w, r, st.Start.Add(min(patience, time.Duration(h.Budget))))
		return problem.Error(err)
	}
	h.arm(w, r, deadline)
	if hasBody(r) {
		st.Reading(&h.load.reading)
		defer st.Arrived()
	}

	ctx, cancel := context.WithDeadlineCause(r.Context(), deadline.Add(-margin), errBudget{})
	defer cancel()
	err := late(ctx, next.ServeHTTP(w, r.WithContext(ctx)))
	if h.load.busy() {
		if done, tells := telling(ctx, st, err); tells {
			h.load.learn(done, time.Now())
		}
	}
	return h.tooMany(r, err)
}

// shed refuses the nth request at once where there are too many.
func (h *Handler) shed(n int64, now time.Time) error {
	if h.MaxInFlight > 0 && n > int64(h.MaxInFlight) {
		h.recorder.Shed(h.Hook, telemetry.ShedInFlight)
		return &hook.Error{Code: hook.CodeOverloaded}
	}
	// The rest is for those who were let in and take longer than thought.
	if within := (time.Duration(h.Budget) - margin) / 4 * 3; !h.load.fits(n, within, now) {
		h.recorder.Shed(h.Hook, telemetry.ShedBudget)
		return &hook.Error{Code: hook.CodeOverloaded, Detail: "the requests before this one need all of its time; send it again with the same ID"}
	}
	return nil
}

// telling reports whether a request says how fast work gets done, and how many
// are done with it: one that went all the way, and none where its time was over
// on the way. An error before that, such as that of a store which is down, may
// be ever so quick and says nothing; and a body that comes slowly is its
// sender's work.
func telling(ctx context.Context, st *request.State, err error) (done int64, tells bool) {
	if err == nil {
		return 1, st.Outcome != string(hook.OutcomeRefused)
	}
	return 0, errors.Is(context.Cause(ctx), errBudget{}) && !st.BodyFailed()
}

// counted are the refusals that are a sender's fault. Early data is none, nor is
// a conflict: it has come all the way, with good credentials.
var counted = map[hook.Code]bool{
	hook.CodeUnsupportedMediaType: true,
	hook.CodeInvalidJSON:          true,
	hook.CodeMissingEventID:       true,
	hook.CodeContractViolation:    true,
	hook.CodeBodyTooLarge:         true,
	hook.CodeMethodNotAllowed:     true,
	hook.CodeForbidden:            true,
	hook.CodeUnauthorized:         true,
	hook.CodeStale:                true,
}

// tooMany takes the place of a refusal where the sender's address has had too
// many. It looks at the end and not before: only then is it known that the
// request is none that should have passed.
func (h *Handler) tooMany(r *http.Request, err error) error {
	if err == nil || h.refused == nil {
		return err
	}
	code := problem.CodeOf(err)
	if !counted[code] {
		return err
	}
	wait, ok := h.refused.take(request.ClientIP(r), time.Now())
	if ok {
		return err
	}
	return problem.Error(&hook.Error{
		Code:       hook.CodeTooManyRefused,
		Detail:     "too many requests from this address were refused; this one is refused too: " + string(code),
		RetryAfter: wait,
		Err:        err,
	})
}

// arm bounds the reading of the body and the writing of the answer. A read
// deadline is set only where there is a body, and before its first read: set
// later it would fire in net/http's background read and end the connection's
// next requests (https://go.dev/issue/70834). It also bounds how long net/http
// waits for the rest of a body that was answered unread.
func (h *Handler) arm(w http.ResponseWriter, r *http.Request, deadline time.Time) {
	rc := http.NewResponseController(w)
	if hasBody(r) {
		_ = rc.SetReadDeadline(deadline) // not supported: the context still ends the work
	}
	_ = rc.SetWriteDeadline(deadline.Add(writeSlack))
}

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
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
