package consumer

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/hook"
)

// Metrics count what Consumers do. It is a prometheus.Collector, to be
// registered by its owner, and may outlive the Consumers. The methods of a nil
// *Metrics do nothing.
//
// Labels: hook is the name of the event's hook, or "other" for one that cannot
// name a hook, and for all after the first 200. result is a Result.
type Metrics struct {
	attempts *prometheus.CounterVec
	handling *prometheus.HistogramVec
	waiting  *prometheus.HistogramVec
	hits     *prometheus.CounterVec
	failures *prometheus.CounterVec
	lost     prometheus.Counter
	inWork   prometheus.GaugeFunc
	down     *prometheus.GaugeVec

	atWork atomic.Int64
	mu     sync.Mutex
	hooks  map[string]bool
}

// maxHooks bounds the values of the hook label: whoever may write to the queue
// chooses them.
const maxHooks = 200

// NewMetrics returns Metrics that have counted nothing.
func NewMetrics() *Metrics {
	m := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hookgate_consumer_attempts_total",
			Help: "Events taken from the queue, by hook and by what became of them. Those that were processed before are in hookgate_consumer_inbox_hits_total.",
		}, []string{"hook", "result"}),
		handling: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hookgate_consumer_processing_seconds",
			Help:    "Time in the handler an attempt, by hook.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"hook"}),
		waiting: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hookgate_consumer_waiting_seconds",
			Help:    "Time from the request at the edge until the first attempt begins, by hook.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 60, 300, 1800, 3600, 21600, 86400},
		}, []string{"hook"}),
		hits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hookgate_consumer_inbox_hits_total",
			Help: "Copies of events that were processed before, and were dropped, by hook.",
		}, []string{"hook"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hookgate_consumer_settle_failures_total",
			Help: "Times that the queue could not be told what became of an event, by what it was to be told (done, later, dead, return).",
		}, []string{"what"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hookgate_consumer_unrecorded_total",
			Help: "Events that were processed and are not in the inbox.",
		}),
		down: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hookgate_consumer_outage",
			Help: "1 while nothing is fetched because a part is down (downstream, inbox).",
		}, []string{"part"}),
		hooks: make(map[string]bool),
	}
	m.inWork = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hookgate_consumer_in_work",
		Help: "Events being processed.",
	}, func() float64 { return float64(m.atWork.Load()) })
	m.setDown(false, false)
	for _, a := range []action{done, later, dead, giveBack} {
		m.failures.WithLabelValues(a.String())
	}
	return m
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.attempts, m.handling, m.waiting, m.hits, m.failures, m.lost, m.inWork, m.down}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
}

// label returns a hook as a label.
func (m *Metrics) label(name string) string {
	const other = "other"
	if !hook.ValidName(name) {
		return other
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.hooks[name]:
	case len(m.hooks) >= maxHooks:
		return other
	default:
		m.hooks[name] = true
		for _, r := range results() { // so that a rate has a zero to begin at
			if r != Duplicate {
				m.attempts.WithLabelValues(name, string(r))
			}
		}
		m.hits.WithLabelValues(name)
	}
	return name
}

func (m *Metrics) attempt(name string, r Result) {
	if m != nil {
		m.attempts.WithLabelValues(m.label(name), string(r)).Inc()
	}
}

func (m *Metrics) inboxHit(name string) {
	if m != nil {
		m.hits.WithLabelValues(m.label(name)).Inc()
	}
}

func (m *Metrics) took(name string, d time.Duration) {
	if m != nil {
		m.handling.WithLabelValues(m.label(name)).Observe(d.Seconds())
	}
}

func (m *Metrics) waited(name string, d time.Duration) {
	if m != nil {
		m.waiting.WithLabelValues(m.label(name)).Observe(max(0, d).Seconds())
	}
}

func (m *Metrics) begin() {
	if m != nil {
		m.atWork.Add(1)
	}
}

func (m *Metrics) end() {
	if m != nil {
		m.atWork.Add(-1)
	}
}

func (m *Metrics) settleFailed(a action) {
	if m != nil {
		m.failures.WithLabelValues(a.String()).Inc()
	}
}

func (m *Metrics) unrecorded() {
	if m != nil {
		m.lost.Inc()
	}
}

func (m *Metrics) setDown(downstream, inbox bool) {
	if m == nil {
		return
	}
	for part, is := range map[string]bool{"downstream": downstream, "inbox": inbox} {
		value := 0.0
		if is {
			value = 1
		}
		m.down.WithLabelValues(part).Set(value)
	}
}
