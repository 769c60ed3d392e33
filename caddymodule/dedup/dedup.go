// Package dedup is the handler webhook_dedup: it makes any other handler
// idempotent.
package dedup

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/hook"
)

const (
	// DefaultTTL is how long an event ID is remembered.
	DefaultTTL = 48 * time.Hour

	// DefaultLease is how long a claim lives without renewal.
	DefaultLease = 2 * time.Second
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler runs the handlers behind it once for each event that
// webhook_validate read: the first request claims the event ID and goes on,
// and while it runs its claim is renewed. Its answer decides:
//
//   - 2xx: the ID is remembered, and the same event again is answered 200
//     duplicate
//   - any other answer, or an error that only a request which was not sent on
//     can have: the ID is free again
//   - any other error, a panic, or a sender that hung up: nobody knows whether
//     the event had its effect. The answer is outcome_unknown, and the ID is
//     free when the lease has run out.
//
// An error is of the second kind only while no handler behind it had a
// connection to anywhere: a 4xx, one of Hookgate's own but deadline_exceeded,
// and reverse_proxy's where it found no upstream, or none that took the
// connection. So forward_auth belongs before webhook_dedup: behind it, its
// connection leaves what fails later in doubt.
//
// An event ID counts within the hook that webhook_validate or fail_fast names:
// routes with one name share their IDs, wherever they are. Without a name it
// counts for one host, method and path, as sent and as rewritten, without the
// query: the same ID on another path, or sent with another method, is another
// event. Give routes a name where a sender may come back by another host or
// path.
//
// An event that does not meet its contract is not passed on. Where
// webhook_validate would have it kept for a person (on_contract_violation
// park), the answer is 503 misconfigured: that needs webhook_publish, which
// claims by itself, and no webhook_dedup.
//
// A second request while the first runs waits for it a moment, and is then
// answered 503 in_flight. Other errors: 409 conflict for another body under
// the same ID, 503 store_unavailable, draining and misconfigured.
type Handler struct {
	// How long the event ID is remembered. Default: 48h.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// How long an ID stays taken after an outcome that nobody knows, and
	// after a crash; at least 1s. Default: 2s.
	Lease caddy.Duration `json:"lease,omitempty"`

	runtime  *app.Runtime
	recorder *telemetry.Recorder
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhook_dedup",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision implements caddy.Provisioner.
func (h *Handler) Provision(ctx caddy.Context) (err error) {
	if h.TTL == 0 {
		h.TTL = caddy.Duration(DefaultTTL)
	}
	if h.Lease == 0 {
		h.Lease = caddy.Duration(DefaultLease)
	}
	if h.recorder, err = telemetry.NewRecorder(ctx); err != nil {
		return err
	}
	h.runtime, err = app.Of(ctx)
	return err
}

// minLease leaves time to renew a claim.
const minLease = time.Second

// Validate implements caddy.Validator. It takes settings that are not provisioned,
// too.
func (h *Handler) Validate() error {
	ttl, lease := cmp.Or(time.Duration(h.TTL), DefaultTTL), cmp.Or(time.Duration(h.Lease), DefaultLease)
	if lease < minLease {
		return fmt.Errorf("webhook_dedup: a lease of %s is too short: at least %s", lease, minLease)
	}
	if ttl < lease {
		return fmt.Errorf("webhook_dedup: a ttl of %s is shorter than the lease of %s", ttl, lease)
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	st := request.Join(r, h.recorder, "")
	if st.Event == nil || st.Event.ID == "" {
		return problem.Error(&hook.Error{
			Code:   hook.CodeMisconfigured,
			Detail: "webhook_dedup needs a webhook_validate before it that is told where the event ID is",
		})
	}
	if st.Park != nil {
		// Whatever is behind would run an invalid event, and run it again with
		// each attempt: nothing is claimed for it. Only webhook_publish keeps
		// events for a person, and it needs no claim of ours.
		return problem.Error(&hook.Error{
			Code:   hook.CodeMisconfigured,
			Detail: "webhook_dedup has nowhere to keep an invalid event: set on_contract_violation reject, or use webhook_publish without webhook_dedup",
		})
	}
	ctx, cancel := detach(r.Context())
	defer cancel()
	if err := h.runtime.Enter(ctx); err != nil {
		return problem.Error(err)
	}
	defer h.runtime.Leave()
	h.runtime.Farewell(w, r)

	claim := hook.Claim{
		Key:         key(st.Event, r),
		Token:       hook.NewToken(),
		Fingerprint: st.Event.Fingerprint,
		Lease:       time.Duration(h.Lease),
		TTL:         time.Duration(h.TTL),
	}
	work := &work{w: w, r: r, next: next, state: st}
	state, fp, err := h.runtime.Core.Do(ctx, claim, work.run, accept.Renewing())
	switch {
	case work.panicked != nil:
		panic(work.panicked)
	case work.answered(): // by next, whatever became of the claim
		st.Taken(r, work.outcome(), work.rec.status)
		return work.passed
	case work.passed != nil:
		return work.passed
	case err != nil:
		return problem.Error(err)
	case state == hook.Committed && fp != claim.Fingerprint:
		return problem.Error(&hook.Error{Code: hook.CodeConflict})
	}
	st.Answer(w, r, hook.OutcomeDuplicate, 0)
	return nil
}

// key returns what the event's claim is on. Handlers without a name all have
// the same one, and an ID that two of them take is not one event: its second
// request would be answered duplicate, and lost.
func key(ev *hook.Event, r *http.Request) string {
	if ev.Hook == hook.DefaultName {
		return hook.ResourceKey(ev.Hook, request.Resource(r), ev.ID)
	}
	return hook.EventKey(ev.Hook, ev.ID)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
