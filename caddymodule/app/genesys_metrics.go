package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/genesys/live"
)

var (
	rangesAge = prometheus.NewDesc("hookgate_allowlist_age_seconds",
		"Time since Genesys Cloud last confirmed the list of its addresses.", nil, nil)
	rangesSize = prometheus.NewDesc("hookgate_allowlist_ranges",
		"Ranges of addresses that Genesys Cloud sends from.", nil, nil)
	rangesChanges = prometheus.NewDesc("hookgate_allowlist_changes_total",
		"Changes of the list of addresses.", nil, nil)
	rangesFetches = prometheus.NewDesc("hookgate_allowlist_fetches_total",
		"Looks for a new list of addresses, by result (fetched, shared, held, failed).", []string{"result"}, nil)
)

// rangesCollector reports on the lists of addresses, of which there is one, and
// for a moment two when a reload changes the settings.
type rangesCollector struct{}

// Describe implements prometheus.Collector.
func (*rangesCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{rangesAge, rangesSize, rangesChanges, rangesFetches} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (*rangesCollector) Collect(ch chan<- prometheus.Metric) {
	var (
		sum  live.Stats
		age  time.Duration
		open bool
	)
	keepers.Range(func(_, v any) bool {
		s := v.(*keeperEntry).keeper.Stats()
		open, sum.Known = true, sum.Known || s.Known
		age, sum.Ranges = max(age, s.Age), max(sum.Ranges, s.Ranges)
		sum.Changes += s.Changes
		sum.Fetched += s.Fetched
		sum.Shared += s.Shared
		sum.Held += s.Held
		sum.Failed += s.Failed
		return true
	})
	if !open {
		return
	}
	metric := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	if sum.Known {
		metric(rangesAge, prometheus.GaugeValue, age.Seconds())
	}
	metric(rangesSize, prometheus.GaugeValue, float64(sum.Ranges))
	metric(rangesChanges, prometheus.CounterValue, float64(sum.Changes))
	metric(rangesFetches, prometheus.CounterValue, float64(sum.Fetched), "fetched")
	metric(rangesFetches, prometheus.CounterValue, float64(sum.Shared), "shared")
	metric(rangesFetches, prometheus.CounterValue, float64(sum.Held), "held")
	metric(rangesFetches, prometheus.CounterValue, float64(sum.Failed), "failed")
}
