package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/hook"
)

// hookSeries are the metrics of one hook, so that a request need not look for them by
// their labels. Each is made when it is first observed: what never happened is not
// exposed.
type hookSeries struct {
	requests *prometheus.CounterVec // by outcome
	accepted func() prometheus.Counter
	duration func() prometheus.Observer
	stages   [StageCount]func() prometheus.Observer
}

// of returns the series of a hook.
func (m *Metrics) of(hookName string) *hookSeries {
	if s, ok := m.hooks.Load(hookName); ok {
		return s.(*hookSeries)
	}
	s := &hookSeries{
		requests: m.requests.MustCurryWith(prometheus.Labels{"hook": hookName}),
		duration: sync.OnceValue(func() prometheus.Observer { return m.duration.WithLabelValues(hookName) }),
	}
	s.accepted = sync.OnceValue(func() prometheus.Counter { return s.requests.WithLabelValues(string(hook.OutcomeAccepted)) })
	for i := range s.stages {
		s.stages[i] = sync.OnceValue(func() prometheus.Observer { return m.stages.WithLabelValues(hookName, stageNames[i]) })
	}
	first, _ := m.hooks.LoadOrStore(hookName, s)
	return first.(*hookSeries)
}

// observe counts one request.
func (s *hookSeries) observe(outcome string, total time.Duration, stages *[StageCount]time.Duration) {
	if outcome == string(hook.OutcomeAccepted) {
		s.accepted().Inc()
	} else {
		s.requests.WithLabelValues(outcome).Inc()
	}
	s.duration().Observe(total.Seconds())
	for i, d := range stages {
		if d > 0 {
			s.stages[i]().Observe(d.Seconds())
		}
	}
}
