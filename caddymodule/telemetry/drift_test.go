package telemetry

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
)

// series returns the metric's values by hook, pointer and kind.
func series(t *testing.T, d *Drifts) map[string]float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(d.metric)
	families, err := r.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "hookgate_drift_total" {
		t.Fatal(families, err)
	}
	values := make(map[string]float64)
	for _, m := range families[0].GetMetric() {
		labels := make(map[string]string)
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		values[labels["hook"]+" "+labels["pointer"]+" "+labels["kind"]] = m.GetCounter().GetValue()
	}
	return values
}

func TestDriftIsRememberedByPlaceAndKind(t *testing.T) {
	d := newDrifts()
	noon := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	renamed := hook.Drift{Pointer: "/callDurationSeconds", Kind: hook.DriftRenamed}
	for i, minutes := range []int{0, 59, 60, 61, 119, 120} {
		seen, due := d.note("b", renamed, noon.Add(time.Duration(minutes)*time.Minute))
		if want := minutes%60 == 0; due != want || seen.Count != uint64(i+1) {
			t.Errorf("after %d minutes: a line %v, count %d", minutes, due, seen.Count)
		}
	}
	d.note("b", hook.Drift{Pointer: "/callDurationSeconds", Kind: hook.DriftStringNumber}, noon)
	d.note("a", renamed, noon)
	want := []Drift{
		{"a", "/callDurationSeconds", hook.DriftRenamed, noon, noon, 1},
		{"b", "/callDurationSeconds", hook.DriftRenamed, noon, noon.Add(2 * time.Hour), 6},
		{"b", "/callDurationSeconds", hook.DriftStringNumber, noon, noon, 1},
	}
	if diff := cmp.Diff(want, d.List()); diff != "" {
		t.Error(diff)
	}
	metric := map[string]float64{"a /callDurationSeconds renamed": 1, "b /callDurationSeconds renamed": 6, "b /callDurationSeconds string_number": 1}
	if diff := cmp.Diff(metric, series(t, d)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlySoManyPlacesOfAHookAreToldApart(t *testing.T) {
	d := newDrifts()
	for range 2 {
		for i := range maxDriftOfHook + 50 {
			d.note("many", hook.Drift{Pointer: fmt.Sprintf("/m%03d", i), Kind: hook.DriftNewValue}, time.Now())
		}
	}
	d.note("other", hook.Drift{Pointer: "/a", Kind: hook.DriftNewValue}, time.Now())
	list := d.List()
	if len(list) != maxDriftOfHook+2 || list[0].Pointer != driftElsewhere || list[0].Count != 100 || list[len(list)-1].Pointer != "/a" {
		t.Errorf("%d places, the first %+v", len(list), list[0])
	}
	if n := len(series(t, d)); n != len(list) {
		t.Errorf("%d series for %d places", n, len(list))
	}
}

func TestDriftIsLoggedOnceAndWithoutValues(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	rec := &Recorder{metrics: metrics(), drifts: newDrifts(), logger: zap.NewNop(), drift: zap.New(core)}
	for range 3 {
		rec.Drift("h", "pe-action-map/1", []hook.Drift{{Pointer: "/*", Kind: hook.DriftUnknownMember}, {Pointer: "/agentId", Kind: hook.DriftAbsentNull}})
	}
	var got []string
	for _, e := range logs.All() {
		f := e.ContextMap()
		got = append(got, fmt.Sprint(e.Message, f["hook"], f["contract"], f["pointer"], f["kind"], f["count"], len(f)))
	}
	want := []string{"drifthpe-action-map/1/*unknown_member1 5", "drifthpe-action-map/1/agentIdabsent_null1 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]float64{"h /* unknown_member": 3, "h /agentId absent_null": 3}, series(t, rec.drifts)); diff != "" {
		t.Error(diff)
	}
	(*Recorder)(nil).Drift("h", "", []hook.Drift{{Pointer: "/a", Kind: hook.DriftRenamed}})
}
