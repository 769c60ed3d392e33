// Package admin is Hookgate's part of Caddy's admin API. It shows the queue, and
// lets an operator work with the dead letters.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// The paths of the API.
const (
	QueuePath  = "/hookgate/queue"
	EventsPath = "/hookgate/queue/events"
	DriftPath  = "/hookgate/drift"
)

// How many events one answer has.
const (
	defaultLimit = 20
	MaxLimit     = 1000
)

// countTime is how long a queue may take to say how many events it holds.
const countTime = 5 * time.Second

func init() {
	caddy.RegisterModule(new(API))
}

// API is Hookgate's part of the admin API:
//
//	GET /hookgate/queue                  counts by state, and what is spooled
//	GET /hookgate/queue/events           a look at the events, oldest first
//	    ?state=ready|dead&after=<seq>&limit=<n>&values=true
//	GET /hookgate/drift                  how bodies differed from their contracts
//
// The bodies of events are in the answer only with values=true. Where the queue
// is in RabbitMQ, and the user there may only publish, a look is 403; it is 429
// where a look would do harm, because an event was delivered too often before.
type API struct{}

// CaddyModule returns the Caddy module information.
func (*API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.hookgate",
		New: func() caddy.Module { return new(API) },
	}
}

// Routes implements caddy.AdminRouter.
func (a *API) Routes() []caddy.AdminRoute {
	return append(
		[]caddy.AdminRoute{
			{Pattern: QueuePath, Handler: caddy.AdminHandlerFunc(a.queue)},
			{Pattern: EventsPath, Handler: caddy.AdminHandlerFunc(a.events)},
			{Pattern: DriftPath, Handler: caddy.AdminHandlerFunc(a.drift)},
		},
		new(DeadLetters).Routes()...,
	)
}

func (a *API) queue(w http.ResponseWriter, r *http.Request) error {
	return inspect(w, r, func(rt *app.Runtime, in hook.Inspector) (any, error) {
		status, spools := rt.Spool()
		ctx, cancel := context.WithTimeout(r.Context(), countTime)
		defer cancel()
		counts, err := in.Counts(ctx)
		switch {
		case !spools:
			return NewQueue(counts), err
		case err != nil: // what waits here is the more of interest
			return Queue{Error: err.Error(), Spool: newSpool(&status)}, nil
		}
		q := NewQueue(counts)
		q.Spool = newSpool(&status)
		return q, nil
	})
}

func (a *API) events(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	return inspect(w, r, func(_ *app.Runtime, in hook.Inspector) (any, error) {
		entries, err := in.Peek(r.Context(), q.state, q.after, q.limit)
		if err != nil {
			return nil, err
		}
		return NewEvents(entries, q.values), nil
	})
}

// inspect answers with what fn finds in the queue of the config that runs now.
func inspect(w http.ResponseWriter, r *http.Request, fn func(*app.Runtime, hook.Inspector) (any, error)) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s is not allowed: use GET", r.Method)}
	}
	rt, err := app.Active()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	}
	var answer any
	err = rt.Inspect(r.Context(), func(in hook.Inspector) (err error) {
		answer, err = fn(rt, in)
		return err
	})
	switch {
	case errors.Is(err, app.ErrNoInspector):
		return caddy.APIError{HTTPStatus: http.StatusNotImplemented, Err: err}
	case errors.Is(err, rabbitmq.ErrMayNotRead):
		return caddy.APIError{HTTPStatus: http.StatusForbidden, Err: err}
	case errors.Is(err, rabbitmq.ErrWouldTire):
		return caddy.APIError{HTTPStatus: http.StatusTooManyRequests, Err: err}
	case err != nil:
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

type query struct {
	state  hook.QueueState
	after  uint64
	limit  int
	values bool
}

func parseQuery(v url.Values) (query, error) {
	q := query{state: hook.StateReady, limit: defaultLimit}
	var err error
	for name, values := range v {
		if len(values) != 1 {
			return q, fmt.Errorf("%s stands %d times", name, len(values))
		}
		value := values[0]
		switch name {
		case "state":
			q.state = hook.QueueState(value)
			if q.state != hook.StateReady && q.state != hook.StateDead {
				err = fmt.Errorf("state is %s or %s", hook.StateReady, hook.StateDead)
			}
		case "after":
			q.after, err = strconv.ParseUint(value, 10, 64)
		case "limit":
			q.limit, err = strconv.Atoi(value)
			if err == nil && (q.limit < 1 || q.limit > MaxLimit) {
				err = fmt.Errorf("limit is 1 to %d", MaxLimit)
			}
		case "values":
			q.values, err = strconv.ParseBool(value)
		default:
			err = fmt.Errorf("%s is unknown", name)
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

// Interface guard
var _ caddy.AdminRouter = (*API)(nil)
