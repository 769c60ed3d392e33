package app

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/plugins/embedded"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// collectors returns the collectors of the app. They live as long as the
// process, and read the files that are open at the moment of a scrape.
var collectors = sync.OnceValue(func() []prometheus.Collector {
	return []prometheus.Collector{
		new(embeddedCollector), new(redisCollector), new(postgresCollector), new(fallbackCollector),
		new(rabbitCollector), new(spoolCollector), new(rangesCollector),
		rabbitmq.DepthCollector{Source: rabbitSources.newest},
	}
})

var (
	queueEvents = prometheus.NewDesc("hookgate_queue_events",
		"Events in the embedded queue, by state (ready, due, in_work, dead).", []string{"state"}, nil)
	storeKeys = prometheus.NewDesc("hookgate_store_keys",
		"Keys in the embedded store.", nil, nil)
	usedBytes = prometheus.NewDesc("hookgate_embedded_used_bytes",
		"Bytes in use of the embedded file.", nil, nil)
	queueOldest = prometheus.NewDesc("hookgate_queue_oldest_seconds",
		"Age of the oldest event in the embedded queue, by state (ready: waits or is at work; due: is tried again later). 0 without one.", []string{"state"}, nil)
	queueRetries = prometheus.NewDesc("hookgate_queue_retry_events",
		"Events in the embedded queue that are tried again later, by how long they were put off.", []string{"tier"}, nil)
	deadLetters = prometheus.NewDesc("hookgate_dead_letters",
		"Dead letters in the embedded queue, by kind.", []string{"kind"}, nil)
	maxBytes = prometheus.NewDesc("hookgate_embedded_max_bytes",
		"Bytes that the embedded file may use; at 90 % of it new events are refused.", nil, nil)
)

// embeddedCollector reports on the open embedded files, of which there is one,
// and for a moment two when a reload names another folder.
type embeddedCollector struct{}

// Describe implements prometheus.Collector.
func (*embeddedCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueEvents, queueOldest, queueRetries, deadLetters, storeKeys, usedBytes, maxBytes} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (*embeddedCollector) Collect(ch chan<- prometheus.Metric) {
	var sum embedded.Stats
	open := false
	events := newSurveySum()
	files.Range(func(_, v any) bool {
		db := v.(*file).db
		events.add(db)
		s := db.Stats()
		sum.Ready += s.Ready
		sum.Due += s.Due
		sum.InWork += s.InWork
		sum.Dead += s.Dead
		sum.Keys += s.Keys
		sum.UsedBytes += s.UsedBytes
		sum.MaxBytes += s.MaxBytes
		open = true
		return true
	})
	if !open {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(queueEvents, float64(sum.Ready), "ready")
	gauge(queueEvents, float64(sum.Due), "due")
	gauge(queueEvents, float64(sum.InWork), "in_work")
	gauge(queueEvents, float64(sum.Dead), "dead")
	events.collect(ch)
	gauge(storeKeys, float64(sum.Keys))
	gauge(usedBytes, float64(sum.UsedBytes))
	gauge(maxBytes, float64(sum.MaxBytes))
}
