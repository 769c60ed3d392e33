package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/accept"
)

var (
	spoolEvents = prometheus.NewDesc("hookgate_spool_events",
		"Events on this node that wait to be forwarded to the queue, by kind (event, dead_letter).", []string{"kind"}, nil)
	spoolOldest = prometheus.NewDesc("hookgate_spool_oldest_seconds",
		"How long the oldest of them has been here, 0 where there is none.", nil, nil)
	spoolBytes = prometheus.NewDesc("hookgate_spool_bytes",
		"Bytes in use of the file that they are in.", nil, nil)
	spoolMaxBytes = prometheus.NewDesc("hookgate_spool_max_bytes",
		"Bytes that the file may use; at 90 % of it nothing more is kept.", nil, nil)
	spoolPutOff = prometheus.NewDesc("hookgate_spool_put_off",
		"Events that were not taken while others were, and are tried again later.", nil, nil)
	spoolSpooled = prometheus.NewDesc("hookgate_spool_spooled_total",
		"Events kept on this node because the queue could not take them.", nil, nil)
	spoolForwarded = prometheus.NewDesc("hookgate_spool_forwarded_total",
		"Events forwarded to the queue, and confirmed by it.", nil, nil)
	spoolWithdrawn = prometheus.NewDesc("hookgate_spool_withdrawn_total",
		"Events taken back from the spool because the queue had them after all.", nil, nil)
	spoolFailed = prometheus.NewDesc("hookgate_spool_failed_total",
		"Attempts to forward an event that failed, by reason (unavailable, refused, in_doubt, unfit, damaged).", []string{"reason"}, nil)
)

// spoolCollector reports on the spools of the open files.
type spoolCollector struct{}

// Describe implements prometheus.Collector.
func (*spoolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		spoolEvents, spoolOldest, spoolBytes, spoolMaxBytes, spoolPutOff, spoolSpooled, spoolForwarded, spoolWithdrawn, spoolFailed,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (*spoolCollector) Collect(ch chan<- prometheus.Metric) {
	var (
		sum                           accept.BacklogStats
		events, letters, used, bounds float64
		oldest                        float64
		open                          bool
	)
	files.Range(func(_, v any) bool {
		f := v.(*file)
		if f.spools.Load() == 0 {
			return true
		}
		open = true
		s, b := f.db.Stats(), f.backlog.Stats()
		events += float64(s.Ready + s.Due + s.InWork)
		letters += float64(s.Dead)
		used += float64(s.UsedBytes)
		bounds += float64(s.MaxBytes)
		oldest = max(oldest, f.oldest().Seconds())
		sum.PutOff += b.PutOff
		sum.Spooled += b.Spooled
		sum.Forwarded += b.Forwarded
		sum.Withdrawn += b.Withdrawn
		for r, n := range b.Failed {
			sum.Failed[r] += n
		}
		return true
	})
	if !open {
		return
	}
	metric := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	metric(spoolEvents, prometheus.GaugeValue, events, "event")
	metric(spoolEvents, prometheus.GaugeValue, letters, "dead_letter")
	metric(spoolOldest, prometheus.GaugeValue, oldest)
	metric(spoolBytes, prometheus.GaugeValue, used)
	metric(spoolMaxBytes, prometheus.GaugeValue, bounds)
	metric(spoolPutOff, prometheus.GaugeValue, float64(sum.PutOff))
	metric(spoolSpooled, prometheus.CounterValue, float64(sum.Spooled))
	metric(spoolForwarded, prometheus.CounterValue, float64(sum.Forwarded))
	metric(spoolWithdrawn, prometheus.CounterValue, float64(sum.Withdrawn))
	for r, n := range sum.Failed {
		metric(spoolFailed, prometheus.CounterValue, float64(n), accept.Reason(r).String())
	}
}
