package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/hook"
)

// value returns a metric, written name{label="value",...}; of a histogram the
// count. Labels are in alphabetical order.
func value(m *Metrics, want string) float64 {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(m); err != nil {
		panic(err)
	}
	families, err := registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			var labels []string
			for _, l := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			slices.Sort(labels)
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			if name != want {
				continue
			}
			if h := metric.GetHistogram(); h != nil {
				return float64(h.GetSampleCount())
			}
			return metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return -1
}

func TestMetricsCountWhatBecomesOfEvents(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(_ context.Context, ev *hook.Event) error {
			time.Sleep(time.Second)
			switch {
			case ev.ID == "bad":
				return &hook.Fault{Kind: hook.KindPermanent}
			case ev.ID == "slow" && ev.Attempt == 0:
				return err503
			}
			return nil
		})
		r.queue.put(event("a"), event("a"), event("bad"), event("slow"))
		r.start(0)
		if v := value(r.opts.Metrics, "hookgate_consumer_in_work"); v != 1 {
			t.Errorf("in work: %v", v)
		}
		time.Sleep(time.Minute)
		for name, want := range map[string]float64{
			`hookgate_consumer_attempts_total{hook="h",result="processed"}`: 2,
			`hookgate_consumer_attempts_total{hook="h",result="retry"}`:     1,
			`hookgate_consumer_attempts_total{hook="h",result="permanent"}`: 1,
			`hookgate_consumer_attempts_total{hook="h",result="exhausted"}`: 0,
			`hookgate_consumer_inbox_hits_total{hook="h"}`:                  1,
			`hookgate_consumer_processing_seconds{hook="h"}`:                4,
			`hookgate_consumer_waiting_seconds{hook="h"}`:                   4,
			`hookgate_consumer_in_work`:                                     0,
			`hookgate_consumer_outage{part="downstream"}`:                   0,
			`hookgate_consumer_outage{part="inbox"}`:                        0,
			`hookgate_consumer_unrecorded_total`:                            0,
			`hookgate_consumer_settle_failures_total{what="done"}`:          0,
		} {
			if got := value(r.opts.Metrics, name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	})
}

func TestMetricsShowAnOutage(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error { return err503 })
		r.queue.put(events(0, 5)...)
		r.start(carefulFor)
		const name = `hookgate_consumer_outage{part="downstream"}`
		if v := value(r.opts.Metrics, name); v != 1 {
			t.Errorf("in the outage: %v", v)
		}
		r.on(nil)
		time.Sleep(time.Minute)
		if v := value(r.opts.Metrics, name); v != 0 {
			t.Errorf("after it: %v", v)
		}
	})
}

func TestWhoWritesToTheQueueDoesNotChooseAnyLabel(t *testing.T) {
	m := NewMetrics()
	for i := range 2 * maxHooks {
		m.attempt(fmt.Sprint("h", i), Processed)
	}
	m.attempt("no name", Processed)
	if got := value(m, `hookgate_consumer_attempts_total{hook="other",result="processed"}`); got != maxHooks+1 {
		t.Errorf("other: %v", got)
	}
}

func TestNoMetricsAreFine(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.opts.Metrics = nil
		r.queue.put(event("a"), event("a"))
		r.start(0)
		r.want("done", r.queue.count("done"), 2)
	})
}
