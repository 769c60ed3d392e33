package app

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/embedded"
)

// surveyTimeout bounds the look at the events for a scrape.
const surveyTimeout = 5 * time.Second

// surveySum is what is known of the events of all open embedded files.
type surveySum struct {
	now        time.Time
	ready, due time.Duration // age of the oldest
	tiers      map[time.Duration]int
	dead       map[hook.Kind]int
	unreadable int
	failed     bool
}

func newSurveySum() *surveySum {
	s := &surveySum{now: time.Now(), tiers: make(map[time.Duration]int), dead: make(map[hook.Kind]int)}
	// So that there is a zero to begin at.
	for _, k := range []hook.Kind{hook.KindInvalid, hook.KindConflict, hook.KindPermanent, hook.KindExhausted, hook.KindPoison} {
		s.dead[k] = 0
	}
	return s
}

// add looks at a file. One that cannot be read has a metric of its own.
func (s *surveySum) add(db *embedded.DB) {
	ctx, cancel := context.WithTimeout(context.Background(), surveyTimeout)
	defer cancel()
	found, err := db.Survey(ctx)
	if err != nil {
		s.failed = true
		return
	}
	s.ready = max(s.ready, s.age(found.OldestReady))
	s.due = max(s.due, s.age(found.OldestDue))
	for delay, n := range found.Tiers {
		s.tiers[delay] += n
	}
	for kind, n := range found.Dead {
		s.dead[kind] += n
	}
	s.unreadable += found.Unreadable
}

func (s *surveySum) age(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(0, s.now.Sub(t))
}

// collect reports what was found, unless a part is missing.
func (s *surveySum) collect(ch chan<- prometheus.Metric) {
	if s.failed {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, label string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, label)
	}
	gauge(queueOldest, s.ready.Seconds(), "ready")
	gauge(queueOldest, s.due.Seconds(), "due")
	for label, n := range tierLabels(s.tiers) {
		gauge(queueRetries, float64(n), label)
	}
	for kind, n := range s.dead {
		gauge(deadLetters, float64(n), string(kind))
	}
	gauge(deadLetters, float64(s.unreadable), "unreadable")
}

// maxTiers bounds the values of the label tier, however often the config was
// changed while events waited.
const maxTiers = 20

// tierLabel writes a delay as a Caddyfile does: 2m, and not 2m0s.
func tierLabel(delay time.Duration) string {
	text := delay.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// tierLabels counts by the text of a delay.
func tierLabels(tiers map[time.Duration]int) map[string]int {
	n := make(map[string]int)
	for delay, events := range tiers {
		label := tierLabel(delay)
		if delay <= 0 || len(n) >= maxTiers && n[label] == 0 {
			label = "other"
		}
		n[label] += events
	}
	return n
}
