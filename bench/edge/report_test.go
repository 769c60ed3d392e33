package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// sample is the report of a run with two rounds.
func sample() *report {
	r := &report{Variants: []variantReport{
		{Name: "bare", Title: "bare Caddy", Rounds: []figures{{CPU: 50, PerSecond: 20000}, {CPU: 60, PerSecond: 17000}}},
		{Name: "embedded", Title: "Hookgate, embedded", MaxRatio: 2, Rounds: []figures{
			{CPU: 90, PerSecond: 9000, Max: 40, Memory: 10e6, Accepted: 100, Queued: 100},
			{CPU: 90, PerSecond: 8000, Max: 30, Memory: 20e6, Accepted: 110, Queued: 110},
		}},
	}}
	r.sum()
	return r
}

func TestSum(t *testing.T) {
	m := sample().Variants[1].Median
	if m.Ratio != 1.5 { // 90/50 and 90/60
		t.Errorf("ratio %g", m.Ratio)
	}
	if m.Max != 40 || m.Memory != 20e6 || m.Accepted != 210 || m.Queued != 210 || m.PerSecond != 8000 {
		t.Errorf("got %+v", m)
	}
}

func TestProblems(t *testing.T) {
	if p := sample().problems(); len(p) > 0 {
		t.Errorf("of a good run: %q", p)
	}
	for _, c := range []struct {
		name   string
		change func(*figures)
		want   string
	}{
		{"not a success", func(f *figures) { f.Failed, f.Statuses = 3, map[int]int{503: 2, 0: 1} }, "3 answers were not 202 (no answer: 1, 503: 2)"},
		{"late", func(f *figures) { f.Late = 1 }, "1 answers came later than 500ms"},
		{"lost", func(f *figures) { f.Queued-- }, "1 events were answered 202 and are not in the queue"},
		{"too many", func(f *figures) { f.Queued++ }, "1 events are in the queue too many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := sample()
			c.change(&r.Variants[1].Rounds[0])
			r.sum()
			if p := strings.Join(r.problems(), "; "); !strings.Contains(p, c.want) {
				t.Errorf("got %q, want %q", p, c.want)
			}
		})
	}
}

func TestWhatIsShedUnderOverloadIsNoProblem(t *testing.T) {
	r := sample()
	v := &r.Variants[1]
	v.MayShed = true
	v.Rounds[0].Failed, v.Rounds[0].Statuses = 7, map[int]int{503: 5, 504: 2}
	if r.sum(); len(r.problems()) > 0 {
		t.Errorf("got %q", r.problems())
	}
	v.Rounds[0].Failed, v.Rounds[0].Statuses[0] = 8, 1
	if r.sum(); len(r.problems()) != 1 {
		t.Errorf("got %q", r.problems())
	}
}

func TestSetFigures(t *testing.T) {
	var f figures
	f.set(tally{took: []time.Duration{time.Millisecond, 2 * time.Millisecond}, slowest: time.Second}, time.Second, 100*time.Microsecond)
	if f.PerSecond != 2 || f.CPU != 50 || f.P50 != 1 || f.P999 != 2 || f.Max != 1000 {
		t.Errorf("got %+v", f)
	}
}

func TestOutput(t *testing.T) {
	var table, doc bytes.Buffer
	if err := sample().writeTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bare Caddy", "8,000", "1.50", "at most 2.0 times that of bare Caddy: reached"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, &table)
		}
	}
	if err := sample().writeJSON(&doc); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(doc.Bytes(), &r); err != nil || r.Variants[1].Median.Ratio != 1.5 {
		t.Errorf("%v, in\n%s", err, &doc)
	}
}
