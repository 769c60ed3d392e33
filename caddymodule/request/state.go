// Package request holds what Hookgate's handlers know of one request: its
// body, read once, the event in it, and what became of it.
package request

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/hook"
)

// State is one request's. It is kept in the request's variables, where an
// error route sees it too, and belongs to the request's goroutine.
type State struct {
	Hook    string        // the hook's name
	Start   time.Time     // when the first of our handlers saw the request
	Event   *hook.Event   // set by webhook_validate
	Park    *hook.Fault   // set by webhook_validate: keep the event for a person
	Claimed bool          // set by webhook_dedup: the event's key is claimed already
	Local   bool          // set by webhook_publish: the event is durable on this node only, for now
	Outcome string        // set once the answer is known
	body    body          // see Body
	took    stageDuration // see Took
	reading *atomic.Int64 // see Reading

	recorder *telemetry.Recorder
}

type stageDuration = [telemetry.StageCount]time.Duration

// Of returns the state of a request, and makes it at the first call.
func Of(r *http.Request) *State {
	if st, ok := caddyhttp.GetVar(r.Context(), problem.ObserverVar).(*State); ok {
		return st
	}
	st := &State{Hook: hook.DefaultName, Start: time.Now()}
	caddyhttp.SetVar(r.Context(), problem.ObserverVar, st)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(st.placeholder)
	}
	return st
}

// Join returns the state of a request for a handler with a recorder and,
// where it was given one, the name of its hook.
func Join(r *http.Request, rec *telemetry.Recorder, hookName string) *State {
	st := Of(r)
	if st.recorder == nil {
		st.recorder = rec
	}
	if hookName != "" {
		st.Hook = hookName
	}
	return st
}

// Took adds to the time spent in a stage.
func (st *State) Took(s telemetry.Stage, d time.Duration) { st.took[s] += d }

// Reading counts the request in a counter until its body has arrived, or Arrived
// is called.
func (st *State) Reading(counter *atomic.Int64) {
	if st.reading == nil {
		st.reading = counter
		counter.Add(1)
	}
}

// Arrived counts the request out again.
func (st *State) Arrived() {
	if st.reading != nil {
		st.reading.Add(-1)
		st.reading = nil
	}
}

// BodyFailed reports whether the body was asked for and did not arrive whole.
func (st *State) BodyFailed() bool { return st.body.err != nil }

// durabilityLocal is the durability of an event that is on this node only. That
// of all others is not named.
const durabilityLocal = "local"

// Taken records that the request gets a 2xx.
func (st *State) Taken(r *http.Request, outcome hook.Outcome, status int) {
	st.finish(r, string(outcome), status, nil)
}

// Refused implements problem.Observer.
func (st *State) Refused(r *http.Request, code hook.Code, status int, err error) {
	outcome := string(code)
	if outcome == "" {
		outcome = "other"
	}
	st.finish(r, outcome, status, err)
}

func (st *State) finish(r *http.Request, outcome string, status int, err error) {
	if st.Outcome != "" { // an answer that could not be written, and then a refusal
		return
	}
	st.Outcome = outcome
	record := telemetry.Request{
		Hook: st.Hook, Outcome: outcome, Status: status,
		Total: time.Since(st.Start), Stages: st.took, Local: st.Local, Err: err,
	}
	if st.Event != nil {
		record.EventID = st.Event.ID
	}
	st.recorder.Record(&record)
	st.note(r, outcome)
}

// note puts the outcome into the line of the access log, where the server has one:
// a field costs more than all the metrics.
func (st *State) note(r *http.Request, outcome string) {
	if server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server != nil && server.Logs == nil {
		return
	}
	extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	extra.Set(zap.String("hook", st.Hook))
	extra.Set(zap.String("outcome", outcome))
	if st.Local {
		extra.Set(zap.String("durability", durabilityLocal))
	}
}

// String keeps the body out of {http.vars.hookgate}.
func (st *State) String() string { return st.Hook }

// placeholder implements {http.hookgate.hook}, .event_id and .outcome.
func (st *State) placeholder(key string) (any, bool) {
	switch key {
	case "http.hookgate.hook":
		return st.Hook, true
	case "http.hookgate.event_id":
		if st.Event == nil {
			return "", true
		}
		return st.Event.ID, true
	case "http.hookgate.outcome":
		return st.Outcome, true
	}
	return nil, false
}

// ClientIP returns the sender's address as Caddy determined it, unmapped and
// without a zone, or the zero Addr where there is none.
func ClientIP(r *http.Request) netip.Addr {
	s, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// Interface guard
var _ problem.Observer = (*State)(nil)
