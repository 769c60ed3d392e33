// Package publish is the handler webhook_publish: it takes an event durably and
// answers.
package publish

import (
	"context"
	"errors"
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

// The words of on_conflict and on_store_failure.
const (
	Park    = "park"
	Reject  = "reject"
	Publish = "publish"
)

const (
	// DefaultTTL is how long an event ID is remembered.
	DefaultTTL = 48 * time.Hour

	// DefaultTimeout is how long claim and publish may take.
	DefaultTimeout = 500 * time.Millisecond
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler claims the event that webhook_validate read, publishes it to the
// queue and answers 202 when it is durable: never before. The same event again
// is 200 duplicate, an event kept for a person 202 parked. Where webhook_dedup
// holds the claim already, it only publishes. An event that the queue's spool
// keeps has "durability":"local" in its answer.
//
// The hook needs a name, given to webhook_validate: it is a part of the event's
// key, and where the event goes by default.
//
// Errors: 409 conflict, 503 in_flight, store_unavailable, queue_unavailable,
// draining and misconfigured, 503 or 504 outcome_unknown, 504
// deadline_exceeded. After each it is safe to send the event again.
type Handler struct {
	// How long the event ID is remembered. Default: 48h.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// How long claim and publish may take. A deadline of the request that
	// comes earlier, such as fail_fast's, counts. Default: 500ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// What happens to another body under an ID that was taken before: park or
	// reject. Default: park.
	OnConflict string `json:"on_conflict,omitempty"`

	// What happens while the store cannot be asked: publish, unverified, or
	// reject. It goes for what is kept for a person too. Default: reject.
	OnStoreFailure string `json:"on_store_failure,omitempty"`

	// The status for an event accepted or parked now: 200, 201 or 202.
	// Default: 202.
	AcceptedStatus int `json:"accepted_status,omitempty"`

	// Where the queue sends the event. Default: the hook's name.
	RoutingKey string `json:"routing_key,omitempty"`

	// The queue in RabbitMQ that gets the event, and no other does: that of a
	// consumer which is there already. Default: Hookgate's own.
	Queue string `json:"queue,omitempty"`

	// The Celery task that the event becomes a call of: task(payload,
	// event_id), in version 2 of Celery's protocol, with the event ID as task
	// ID. It needs a queue. Default: the event goes as it is.
	Task string `json:"celery_task,omitempty"`

	runtime  *app.Runtime
	recorder *telemetry.Recorder
	policy   accept.Policy
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhook_publish",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision implements caddy.Provisioner.
func (h *Handler) Provision(ctx caddy.Context) (err error) {
	if h.TTL == 0 {
		h.TTL = caddy.Duration(DefaultTTL)
	}
	if h.Timeout == 0 {
		h.Timeout = caddy.Duration(DefaultTimeout)
	}
	h.policy = accept.Policy{
		Lease: accept.Lease(time.Duration(h.Timeout)),
		TTL:   time.Duration(h.TTL),
	}
	if h.OnConflict == Reject {
		h.policy.OnConflict = accept.Reject
	} else {
		h.policy.OnConflict = accept.Park
	}
	if h.OnStoreFailure == Publish {
		h.policy.OnStoreFailure = accept.Publish
	} else {
		h.policy.OnStoreFailure = accept.Reject
	}
	if h.recorder, err = telemetry.NewRecorder(ctx); err != nil {
		return err
	}
	if h.runtime, err = app.Of(ctx); err != nil {
		return err
	}
	if h.Queue != "" {
		if err := h.runtime.Expect(h.Queue, h.Task != ""); err != nil {
			return fmt.Errorf("webhook_publish: %w", err)
		}
	}
	return nil
}

// Validate implements caddy.Validator.
func (h *Handler) Validate() error {
	switch {
	case h.TTL < 0 || h.Timeout < 0:
		return errors.New("webhook_publish: ttl and timeout cannot be negative")
	case time.Duration(h.TTL) < h.policy.Lease:
		return fmt.Errorf("webhook_publish: a ttl of %s is shorter than the lease of %s", time.Duration(h.TTL), h.policy.Lease)
	case h.OnConflict != "" && h.OnConflict != Park && h.OnConflict != Reject:
		return fmt.Errorf("webhook_publish: on_conflict is park or reject, not %q", h.OnConflict)
	case h.OnStoreFailure != "" && h.OnStoreFailure != Publish && h.OnStoreFailure != Reject:
		return fmt.Errorf("webhook_publish: on_store_failure is publish or reject, not %q", h.OnStoreFailure)
	case h.AcceptedStatus != 0 && (h.AcceptedStatus < 200 || h.AcceptedStatus > 202):
		return fmt.Errorf("webhook_publish: accepted_status is 200, 201 or 202, not %d", h.AcceptedStatus)
	case len(h.RoutingKey) > hook.MaxIDLength:
		return fmt.Errorf("webhook_publish: routing_key is longer than %d bytes", hook.MaxIDLength)
	case len(h.Queue) > hook.MaxIDLength:
		return fmt.Errorf("webhook_publish: the name of the queue is longer than %d bytes", hook.MaxIDLength)
	case h.Task != "" && h.Queue == "":
		return errors.New("webhook_publish: a Celery task needs a queue")
	case h.Queue != "" && h.RoutingKey != "":
		return errors.New("webhook_publish: with a queue there is no routing_key: the queue's name is it")
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler. It ends the chain.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	st := request.Join(r, h.recorder, "")
	if st.Event == nil {
		return problem.Error(&hook.Error{Code: hook.CodeMisconfigured, Detail: "webhook_publish needs a webhook_validate before it"})
	}
	if st.Hook == hook.DefaultName {
		// Events of several such routes would share their IDs, and one that is
		// new here would be a duplicate of another's.
		return problem.Error(&hook.Error{Code: hook.CodeMisconfigured, Detail: "webhook_publish needs a webhook_validate with a name"})
	}
	ctx, cancel := within(r.Context(), time.Duration(h.Timeout))
	defer cancel()
	if err := h.runtime.Enter(ctx); err != nil {
		return problem.Error(err)
	}
	defer h.runtime.Leave()

	st.Event.RoutingKey = h.RoutingKey
	if st.Event.RoutingKey == "" {
		st.Event.RoutingKey = st.Hook
	}
	st.Event.Queue, st.Event.Task = h.Queue, h.Task
	res, err := h.take(ctx, st)
	h.runtime.Farewell(w, r)
	st.Took(telemetry.StageClaim, res.Claim)
	st.Took(telemetry.StagePublish, res.Publish)
	if err != nil {
		return problem.Error(err)
	}
	st.Local = res.Local && h.runtime.Spools()
	st.Answer(w, r, res.Outcome, h.AcceptedStatus)
	return nil
}

// within bounds a context by a time, and by nothing else than that: an event
// that is all here is taken though its sender has hung up, or closed its half of
// the connection behind the body. It may never be sent again, and an end in the
// middle would be laid at the door of a store or a queue that is well.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(d)
	if at, ok := ctx.Deadline(); ok && at.Before(deadline) {
		deadline = at
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// take hands the event over in the way that its state asks for.
func (h *Handler) take(ctx context.Context, st *request.State) (accept.Result, error) {
	switch {
	case st.Park != nil:
		return h.runtime.Gate.Park(ctx, st.Event, *st.Park, h.policy)
	case st.Event.ID == "":
		return accept.Result{}, &hook.Error{Code: hook.CodeMisconfigured, Detail: "webhook_validate is not told where the event ID is"}
	case st.Claimed:
		return h.runtime.Gate.Publish(ctx, st.Event)
	}
	return h.runtime.Gate.Accept(ctx, st.Event, h.policy)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
