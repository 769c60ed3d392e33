package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

var (
	rabbitConnections = prometheus.NewDesc("hookgate_rabbitmq_connections",
		"Connections to RabbitMQ, by state (open, blocked).", []string{"state"}, nil)
	rabbitMessages = prometheus.NewDesc("hookgate_rabbitmq_messages_total",
		"Messages written to RabbitMQ, by what became of them (confirmed, nacked, returned, lost).", []string{"result"}, nil)
	rabbitPublished = prometheus.NewDesc("hookgate_rabbitmq_published_total",
		"Messages written to RabbitMQ.", nil, nil)
	rabbitLate = prometheus.NewDesc("hookgate_rabbitmq_late_total",
		"Messages whose confirmation or refusal came when their request was over.", nil, nil)
	rabbitOutstanding = prometheus.NewDesc("hookgate_rabbitmq_outstanding",
		"Messages written to RabbitMQ and not confirmed.", nil, nil)
	rabbitFailures = prometheus.NewDesc("hookgate_rabbitmq_connection_failures_total",
		"Connections to RabbitMQ that ended, or were not to be had.", nil, nil)
	rabbitChannels = prometheus.NewDesc("hookgate_rabbitmq_channels_lost_total",
		"Channels to RabbitMQ that ended without their connection.", nil, nil)
)

// rabbitCollector reports on the open queues in RabbitMQ, of which there is
// one, and for a moment two when a reload changes the settings.
type rabbitCollector struct{}

// Describe implements prometheus.Collector.
func (*rabbitCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		rabbitConnections, rabbitMessages, rabbitPublished, rabbitLate, rabbitOutstanding, rabbitFailures, rabbitChannels,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (*rabbitCollector) Collect(ch chan<- prometheus.Metric) {
	var sum rabbitmq.Stats
	open := false
	rabbitQueues.Range(func(_, v any) bool {
		s := v.(rabbitEntry).queue.Stats()
		sum.Published += s.Published
		sum.Confirmed += s.Confirmed
		sum.Nacked += s.Nacked
		sum.Returned += s.Returned
		sum.Lost += s.Lost
		sum.Late += s.Late
		sum.Failures += s.Failures
		sum.Channels += s.Channels
		sum.Outstanding += s.Outstanding
		sum.Open += s.Open
		sum.Blocked += s.Blocked
		open = true
		return true
	})
	if !open {
		return
	}
	metric := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	metric(rabbitConnections, prometheus.GaugeValue, float64(sum.Open), "open")
	metric(rabbitConnections, prometheus.GaugeValue, float64(sum.Blocked), "blocked")
	metric(rabbitMessages, prometheus.CounterValue, float64(sum.Confirmed), "confirmed")
	metric(rabbitMessages, prometheus.CounterValue, float64(sum.Nacked), "nacked")
	metric(rabbitMessages, prometheus.CounterValue, float64(sum.Returned), "returned")
	metric(rabbitMessages, prometheus.CounterValue, float64(sum.Lost), "lost")
	metric(rabbitPublished, prometheus.CounterValue, float64(sum.Published))
	metric(rabbitLate, prometheus.CounterValue, float64(sum.Late))
	metric(rabbitOutstanding, prometheus.GaugeValue, float64(sum.Outstanding))
	metric(rabbitFailures, prometheus.CounterValue, float64(sum.Failures))
	metric(rabbitChannels, prometheus.CounterValue, float64(sum.Channels))
}
