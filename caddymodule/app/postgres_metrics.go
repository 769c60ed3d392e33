package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/plugins/postgres"
)

var (
	postgresReady = prometheus.NewDesc("hookgate_postgres_ready",
		"Whether the last operation in PostgreSQL, or the last look at it, succeeded.", nil, nil)
	postgresClaims = prometheus.NewDesc("hookgate_postgres_claims_total",
		"Claims sent to PostgreSQL.", nil, nil)
	postgresRetries = prometheus.NewDesc("hookgate_postgres_retries_total",
		"Operations sent to PostgreSQL again after their connection broke.", nil, nil)
	postgresFailures = prometheus.NewDesc("hookgate_postgres_failures_total",
		"Failed operations in PostgreSQL, by reason (timeout, unreachable, refused).", []string{"reason"}, nil)
	postgresExpired = prometheus.NewDesc("hookgate_postgres_expired_total",
		"Claims that this process deleted because they had run out.", nil, nil)
	postgresConnections = prometheus.NewDesc("hookgate_postgres_connections",
		"Connections to PostgreSQL, by state (idle, busy).", []string{"state"}, nil)
)

// postgresCollector reports on the open PostgreSQL stores: that of the edge, and
// that of the consumer.
type postgresCollector struct{}

// Describe implements prometheus.Collector.
func (*postgresCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		postgresReady, postgresClaims, postgresRetries, postgresFailures, postgresExpired, postgresConnections,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (*postgresCollector) Collect(ch chan<- prometheus.Metric) {
	var sum postgres.StoreStats
	open, ready := false, true
	postgresStores.Range(func(_, v any) bool {
		store := v.(postgresEntry).store
		s := store.Stats()
		sum.Claims += s.Claims
		sum.Retries += s.Retries
		sum.Expired += s.Expired
		sum.Timeouts += s.Timeouts
		sum.Unreachable += s.Unreachable
		sum.Refused += s.Refused
		sum.Connections += s.Connections
		sum.Idle += s.Idle
		ready = ready && store.Ready() == nil
		open = true
		return true
	})
	if !open {
		return
	}
	metric := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	metric(postgresReady, prometheus.GaugeValue, oneIf(ready))
	metric(postgresClaims, prometheus.CounterValue, float64(sum.Claims))
	metric(postgresRetries, prometheus.CounterValue, float64(sum.Retries))
	metric(postgresExpired, prometheus.CounterValue, float64(sum.Expired))
	metric(postgresFailures, prometheus.CounterValue, float64(sum.Timeouts), "timeout")
	metric(postgresFailures, prometheus.CounterValue, float64(sum.Unreachable), "unreachable")
	metric(postgresFailures, prometheus.CounterValue, float64(sum.Refused), "refused")
	metric(postgresConnections, prometheus.GaugeValue, float64(sum.Idle), "idle")
	metric(postgresConnections, prometheus.GaugeValue, float64(sum.Connections-sum.Idle), "busy")
}
