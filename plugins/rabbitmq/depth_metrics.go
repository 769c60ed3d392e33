package rabbitmq

import "github.com/prometheus/client_golang/prometheus"

var (
	descEvents = prometheus.NewDesc("hookgate_rabbitmq_events",
		"Messages in RabbitMQ, by state (ready: in the queue that is consumed here; dead: dead letters).", []string{"state"}, nil)
	descRetries = prometheus.NewDesc("hookgate_rabbitmq_retry_events",
		"Messages in the retry tiers in RabbitMQ, by how long they wait there.", []string{"tier"}, nil)
	descOldest = prometheus.NewDesc("hookgate_rabbitmq_oldest_seconds",
		"Age that no event exceeds which waits in RabbitMQ and was not tried yet: that of the last one that was handed out. 0 without one.", nil, nil)
)

// DepthCollector reports how much waits for a Source. It is a
// prometheus.Collector, to be registered by its owner.
type DepthCollector struct {
	// Source returns the one to report on, nil for none.
	Source func() *Source
}

// Describe implements prometheus.Collector.
func (DepthCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descEvents, descRetries, descOldest} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It answers from memory, and with
// nothing while RabbitMQ cannot be asked.
func (c DepthCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.Source()
	if s == nil {
		return
	}
	d, ok := s.Depth()
	if !ok {
		return
	}
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	gauge(descEvents, float64(d.Ready), "ready")
	gauge(descEvents, float64(d.Dead), "dead")
	for _, t := range d.Tiers {
		gauge(descRetries, float64(t.Events), shortDuration(t.Delay))
	}
	gauge(descOldest, d.Oldest.Seconds())
}

// Interface guard
var _ prometheus.Collector = DepthCollector{}
