package rabbitmq

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate/hook"
)

func TestWhatWaitsCanBeSeenFromTheConsumer(t *testing.T) {
	addr := broker(t).Addr
	q := open(t, addr)
	for i := range 6 {
		ev := sample(fmt.Sprint("evt-", i))
		ev.ReceivedAt = time.Now().Add(-time.Hour).Add(time.Duration(i) * time.Minute)
		mustPublish(t, q, ev)
	}
	s := consume(t, addr, q)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(DepthCollector{Source: func() *Source { return s }})
	sees := func(want Depth) func() bool {
		return func() bool {
			got, ok := s.Depth()
			got.Oldest = 0
			return ok && fmt.Sprint(got) == fmt.Sprint(want)
		}
	}
	tiers := func(one, two int) []TierDepth { return []TierDepth{{time.Second, one}, {2 * time.Second, two}} }

	first := receive(t, s)
	eventually(t, "five wait", sees(Depth{Ready: 5, Tiers: tiers(0, 0)}))
	if d, _ := s.Depth(); d.Oldest < time.Hour || d.Oldest > time.Hour+time.Minute {
		t.Errorf("the oldest is %s old", d.Oldest)
	}
	settle(t, "it waits", func(ctx context.Context) error {
		return first.Later(ctx, 2*time.Second, &hook.Fault{Kind: hook.KindTransient})
	})
	second := receive(t, s)
	settle(t, "it is dead", func(ctx context.Context) error {
		return second.Dead(ctx, hook.Fault{Kind: hook.KindPermanent})
	})
	third := receive(t, s)
	eventually(t, "each is where it is", sees(Depth{Ready: 3, Dead: 1, Tiers: tiers(0, 1)}))
	if d, _ := s.Depth(); d.Oldest < 58*time.Minute-time.Second || d.Oldest > 59*time.Minute {
		t.Errorf("the oldest is %s old", d.Oldest)
	}
	if got, want := gauges(t, registry), map[string]float64{
		"hookgate_rabbitmq_events dead": 1, "hookgate_rabbitmq_events ready": 3,
		"hookgate_rabbitmq_retry_events 1s": 0, "hookgate_rabbitmq_retry_events 2s": 1,
	}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	settle(t, "it is done", third.Done)

	// A queue that is missing is left out, and the others are seen.
	if _, err := client(t).QueueDelete(TierName(q.routes.names, q.routes.names.EventsIn, time.Second), false, false, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is one tier", func() bool { d, ok := s.Depth(); return ok && len(d.Tiers) == 1 })
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, ok := s.Depth(); ok {
		t.Error("it is known without a connection")
	}
}

// gauges returns the metrics that have a label, by name and label.
func gauges(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				all[f.GetName()+" "+l.GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return all
}
