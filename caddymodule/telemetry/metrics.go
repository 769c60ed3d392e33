// Package telemetry is what one can see of the edge: its metrics, and log
// lines that do not drown the server that writes them.
package telemetry

import (
	"errors"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Stage is a part of the way of a request. Stages are metric labels: the set
// is closed.
type Stage uint8

// The stages, in their order.
const (
	StageBody     Stage = iota // reading the body
	StageAuth                  // checking signatures and secrets
	StageValidate              // JSON, contract, event ID
	StageClaim                 // asking the store
	StagePublish               // until the queue confirmed; with the embedded store the whole transaction
	StageCount                 // how many there are
)

var stageNames = [StageCount]string{"body", "auth", "validate", "claim", "publish"}

// String returns the stage as in the label.
func (s Stage) String() string { return stageNames[s] }

// Metrics are the collectors of the edge. They live as long as the process, so
// that no count is lost in a reload, and are registered with every config's
// registry.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	shed     *prometheus.CounterVec
	local    *prometheus.CounterVec
	dropped  prometheus.Counter

	hooks sync.Map // *hookSeries by the hook's name
}

// Why requests were shed. Reasons are metric labels: the set is closed.
const (
	ShedInFlight = "max_in_flight" // too many at once
	ShedBudget   = "budget"        // the work ahead would take longer than there is time
)

var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .2, .3, .4, .5, .6, 1, 5, 30}

var metrics = sync.OnceValue(func() *Metrics {
	return &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hookgate_requests_total",
			Help: "Requests answered, by hook and outcome (accepted, duplicate, parked, or the code of the refusal).",
		}, []string{"hook", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hookgate_request_duration_seconds",
			Help:    "Time from the request's header to the answer, by hook.",
			Buckets: buckets,
		}, []string{"hook"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hookgate_stage_duration_seconds",
			Help:    "Time in each stage of a request, by hook.",
			Buckets: buckets,
		}, []string{"hook", "stage"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hookgate_requests_in_flight",
			Help: "Requests being worked on, by hook.",
		}, []string{"hook"}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hookgate_requests_shed_total",
			Help: "Requests refused unread because of overload, by hook and reason (max_in_flight, budget).",
		}, []string{"hook", "reason"}),
		local: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hookgate_local_accepts_total",
			Help: "Events accepted or parked that were durable on this node only, by hook.",
		}, []string{"hook"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hookgate_log_lines_dropped_total",
			Help: "Log lines left out to thin a flood.",
		}),
	}
})

// collectors returns all of them.
func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.duration, m.stages, m.inFlight, m.shed, m.local, m.dropped}
}

// Register puts collectors into the registry of a config. One that is there
// already is fine: several handlers of one config share them.
func Register(ctx caddy.Context, cs ...prometheus.Collector) error {
	registry := ctx.GetMetricsRegistry()
	if registry == nil {
		return nil
	}
	for _, c := range cs {
		if err := registry.Register(c); err != nil {
			if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); !ok {
				return err
			}
		}
	}
	return nil
}
