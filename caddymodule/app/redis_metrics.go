package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/plugins/redis"
)

var (
	redisReady = prometheus.NewDesc("hookgate_redis_ready",
		"Whether the last operation in Redis, or the last look at it, succeeded.", nil, nil)
	redisClaims = prometheus.NewDesc("hookgate_redis_claims_total",
		"Claims sent to Redis.", nil, nil)
	redisPipelines = prometheus.NewDesc("hookgate_redis_claim_pipelines_total",
		"Pipelines that the claims were sent in.", nil, nil)
	redisRetries = prometheus.NewDesc("hookgate_redis_retries_total",
		"Operations sent to Redis again after their connection broke.", nil, nil)
	redisFailures = prometheus.NewDesc("hookgate_redis_failures_total",
		"Failed operations in Redis, by reason (timeout, unreachable, refused, foreign).", []string{"reason"}, nil)
	redisConnections = prometheus.NewDesc("hookgate_redis_connections",
		"Connections to Redis, by state (idle, busy).", []string{"state"}, nil)
	redisMayEvict = prometheus.NewDesc("hookgate_redis_may_evict",
		"Whether a Redis server may evict claims: its maxmemory-policy is not noeviction.", nil, nil)
	redisEvicted = prometheus.NewDesc("hookgate_redis_evicted_keys",
		"Keys that the Redis servers have evicted since they were started.", nil, nil)
	redisUsed = prometheus.NewDesc("hookgate_redis_used_memory_bytes",
		"Memory that the Redis servers use.", nil, nil)
	redisLimit = prometheus.NewDesc("hookgate_redis_max_memory_bytes",
		"Memory that the Redis servers may use; 0 for no limit.", nil, nil)
)

// redisCollector reports on the open Redis stores, of which there is one, and
// for a moment two when a reload changes the settings.
type redisCollector struct{}

// Describe implements prometheus.Collector.
func (*redisCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		redisReady, redisClaims, redisPipelines, redisRetries, redisFailures,
		redisConnections, redisMayEvict, redisEvicted, redisUsed, redisLimit,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (*redisCollector) Collect(ch chan<- prometheus.Metric) {
	var sum redis.Stats
	open, ready := false, true
	redisStores.Range(func(_, v any) bool {
		store := v.(redisEntry).store
		s := store.Stats()
		sum.Claims += s.Claims
		sum.Batches += s.Batches
		sum.Retries += s.Retries
		sum.Timeouts += s.Timeouts
		sum.Unreachable += s.Unreachable
		sum.Refused += s.Refused
		sum.Foreign += s.Foreign
		sum.Connections += s.Connections
		sum.Idle += s.Idle
		sum.Evicts = sum.Evicts || s.Evicts
		sum.EvictedKeys += s.EvictedKeys
		sum.UsedMemory += s.UsedMemory
		sum.MaxMemory += s.MaxMemory
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
	metric(redisReady, prometheus.GaugeValue, oneIf(ready))
	metric(redisClaims, prometheus.CounterValue, float64(sum.Claims))
	metric(redisPipelines, prometheus.CounterValue, float64(sum.Batches))
	metric(redisRetries, prometheus.CounterValue, float64(sum.Retries))
	metric(redisFailures, prometheus.CounterValue, float64(sum.Timeouts), "timeout")
	metric(redisFailures, prometheus.CounterValue, float64(sum.Unreachable), "unreachable")
	metric(redisFailures, prometheus.CounterValue, float64(sum.Refused), "refused")
	metric(redisFailures, prometheus.CounterValue, float64(sum.Foreign), "foreign")
	metric(redisConnections, prometheus.GaugeValue, float64(sum.Idle), "idle")
	metric(redisConnections, prometheus.GaugeValue, float64(sum.Connections-sum.Idle), "busy")
	metric(redisMayEvict, prometheus.GaugeValue, oneIf(sum.Evicts))
	metric(redisEvicted, prometheus.GaugeValue, float64(sum.EvictedKeys))
	metric(redisUsed, prometheus.GaugeValue, float64(sum.UsedMemory))
	metric(redisLimit, prometheus.GaugeValue, float64(sum.MaxMemory))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
