package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/accept"
)

var (
	fallbackActive = prometheus.NewDesc("hookgate_fallback_active",
		"Whether the fallback holds the claims, because the store does not answer.", nil, nil)
	fallbackSeconds = prometheus.NewDesc("hookgate_fallback_seconds_total",
		"Time in which the fallback held the claims.", nil, nil)
	fallbackBreaker = prometheus.NewDesc("hookgate_fallback_breaker_state",
		"1 for the state that the breaker of a store is in (closed, half-open, open).", []string{"store", "state"}, nil)
	fallbackClaims = prometheus.NewDesc("hookgate_fallback_claims_total",
		"Claims answered, by store (primary, secondary).", []string{"store"}, nil)
	fallbackClaimFailures = prometheus.NewDesc("hookgate_fallback_claim_failures_total",
		"Claims that a store did not answer.", []string{"store"}, nil)
	fallbackCommitFailures = prometheus.NewDesc("hookgate_fallback_commit_failures_total",
		"Commits that a store did not take, each attempt.", []string{"store"}, nil)
	fallbackOwed = prometheus.NewDesc("hookgate_fallback_commits_owed",
		"Commits that a store is still to get.", []string{"store"}, nil)
	fallbackDropped = prometheus.NewDesc("hookgate_fallback_commits_dropped_total",
		"Commits that a store was to get and that were given up.", []string{"store"}, nil)
	fallbackDetours = prometheus.NewDesc("hookgate_fallback_detours_total",
		"Claims that were taken to the fallback after the store had not answered them.", nil, nil)
	fallbackGivenBack = prometheus.NewDesc("hookgate_fallback_given_back_total",
		"Commits that the store was told of when it was there again.", nil, nil)
	fallbackIncomplete = prometheus.NewDesc("hookgate_fallback_incomplete_returns_total",
		"Times that the store was used again without being told all that it had missed.", nil, nil)
)

// fallbackCollector reports on the open pairs of stores, of which there is one,
// and for a moment two when a reload changes the settings.
type fallbackCollector struct{}

// Describe implements prometheus.Collector.
func (*fallbackCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		fallbackActive, fallbackSeconds, fallbackBreaker, fallbackClaims, fallbackClaimFailures, fallbackCommitFailures,
		fallbackOwed, fallbackDropped, fallbackDetours, fallbackGivenBack, fallbackIncomplete,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (*fallbackCollector) Collect(ch chan<- prometheus.Metric) {
	var (
		sum  accept.FallbackStats
		open bool
	)
	fallbacks.Range(func(_, v any) bool {
		s := v.(fallbackEntry).store.Stats()
		sum.OnFallback = sum.OnFallback || s.OnFallback
		sum.Spent += s.Spent
		sum.Detours += s.Detours
		sum.GivenBack += s.GivenBack
		sum.Incomplete += s.Incomplete
		addSide(&sum.Primary, s.Primary)
		addSide(&sum.Secondary, s.Secondary)
		open = true
		return true
	})
	if !open {
		return
	}
	metric := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	metric(fallbackActive, prometheus.GaugeValue, oneIf(sum.OnFallback))
	metric(fallbackSeconds, prometheus.CounterValue, sum.Spent.Seconds())
	metric(fallbackDetours, prometheus.CounterValue, float64(sum.Detours))
	metric(fallbackGivenBack, prometheus.CounterValue, float64(sum.GivenBack))
	metric(fallbackIncomplete, prometheus.CounterValue, float64(sum.Incomplete))
	for name, s := range map[string]accept.SideStats{"primary": sum.Primary, "secondary": sum.Secondary} {
		for _, state := range []string{"closed", "half-open", "open"} {
			metric(fallbackBreaker, prometheus.GaugeValue, oneIf(s.Breaker == state), name, state)
		}
		metric(fallbackClaims, prometheus.CounterValue, float64(s.Claims), name)
		metric(fallbackClaimFailures, prometheus.CounterValue, float64(s.Failures), name)
		metric(fallbackCommitFailures, prometheus.CounterValue, float64(s.CommitFailures), name)
		metric(fallbackOwed, prometheus.GaugeValue, float64(s.Owed), name)
		metric(fallbackDropped, prometheus.CounterValue, float64(s.Dropped), name)
	}
}

// addSide adds up. Of several breakers it shows one that is not closed.
func addSide(sum *accept.SideStats, s accept.SideStats) {
	if sum.Breaker == "" || s.Breaker != "closed" {
		sum.Breaker = s.Breaker
	}
	sum.Claims += s.Claims
	sum.Failures += s.Failures
	sum.CommitFailures += s.CommitFailures
	sum.Owed += s.Owed
	sum.Dropped += s.Dropped
}
