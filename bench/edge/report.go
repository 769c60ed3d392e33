package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxMemory is the goal for the edge's anonymous memory, in bytes.
const maxMemory = 150_000_000

// figures are what one round of a variant shows, or the medians of all.
type figures struct {
	Requests  int     `json:"requests"` // measured
	PerSecond float64 `json:"requests_per_second"`
	CPU       float64 `json:"cpu_us_per_request"` // of the edge process, user and system
	Ratio     float64 `json:"cpu_ratio"`          // to bare Caddy in the same round; 0: it was not measured
	Core      float64 `json:"core_percent"`       // how busy the edge's cores were
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p999_ms"`
	Max       float64 `json:"max_ms"` // warm-up included, as all that follows
	Memory    int64   `json:"anonymous_memory_bytes"`
	Failed    int     `json:"failed"` // answers other than 202, or none
	Late      int     `json:"late"`   // answers later than 500 ms
	Accepted  int     `json:"accepted"`
	Queued    int     `json:"queued"`           // found in the queue afterwards
	Claims    int     `json:"claims,omitempty"` // found in Redis afterwards

	Statuses map[int]int `json:"failed_by_status,omitempty"` // 0: no answer
}

// set fills in what follows from a tally.
func (f *figures) set(t tally, elapsed, cpu time.Duration) {
	f.Requests = len(t.took)
	f.PerSecond = float64(f.Requests) / elapsed.Seconds()
	f.CPU = float64(cpu) / float64(time.Microsecond) / float64(f.Requests)
	f.Core = 100 * float64(cpu) / float64(elapsed)
	f.P50 = milliseconds(percentile(t.took, 50))
	f.P99 = milliseconds(percentile(t.took, 99))
	f.P999 = milliseconds(percentile(t.took, 99.9))
	f.Max = milliseconds(t.slowest)
	f.Failed, f.Late = t.failed, t.late
	if t.failed > 0 {
		f.Statuses = t.statuses
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// report is a whole run.
type report struct {
	Machine  machine         `json:"machine"`
	Settings runSettings     `json:"settings"`
	Variants []variantReport `json:"variants"`
	Consumer *consumerReport `json:"consumer,omitempty"`
}

type machine struct {
	Cores   int    `json:"cores"`
	Pinning string `json:"pinning"`
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
}

type runSettings struct {
	Connections int     `json:"connections"`
	Rounds      int     `json:"rounds"`
	WarmUp      float64 `json:"warm_up_seconds"`
	Time        float64 `json:"time_seconds"`
	Profiled    bool    `json:"profiled"`
}

type variantReport struct {
	Name     string    `json:"name"`
	Title    string    `json:"title"`
	MaxRatio float64   `json:"max_cpu_ratio,omitempty"`
	MayShed  bool      `json:"may_shed,omitempty"` // 503 and 504 are no failures
	Median   figures   `json:"median"`             // counts are sums, and max is the greatest
	Rounds   []figures `json:"rounds"`
}

func newReport(p pinning, s settings, chosen []variant) *report {
	r := &report{
		Machine: machine{Cores: len(p.edge) + len(p.rest), Pinning: p.String(), Kernel: kernel(), Go: runtime.Version()},
		Settings: runSettings{
			Connections: s.connections, Rounds: s.rounds,
			WarmUp: s.warmUp.Seconds(), Time: s.time.Seconds(), Profiled: s.profile != "",
		},
	}
	if p.shared() {
		r.Machine.Cores = len(p.edge)
	}
	for _, v := range chosen {
		r.Variants = append(r.Variants, variantReport{Name: v.name, Title: v.title, MaxRatio: v.maxRatio, MayShed: v.crowd > 0})
	}
	return r
}

// kernel returns the release of the kernel up to its first dash: what follows
// is its builder's.
func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return "Linux " + release
}

// head says what is measured where.
func (r *report) head() string {
	return fmt.Sprintf("%d connections, %d rounds of %gs after %gs; %s; %d cores, %s, %s",
		r.Settings.Connections, r.Settings.Rounds, r.Settings.Time, r.Settings.WarmUp,
		r.Machine.Pinning, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go)
}

// sum works out ratios and medians. A ratio is taken within its round, whose
// mood the two share.
func (r *report) sum() {
	i := slices.IndexFunc(r.Variants, func(v variantReport) bool { return v.Name == "bare" })
	for n := range r.Variants {
		v := &r.Variants[n]
		if i >= 0 {
			for j := range v.Rounds {
				if bare := r.Variants[i].Rounds[j].CPU; bare > 0 {
					v.Rounds[j].Ratio = v.Rounds[j].CPU / bare
				}
			}
		}
		v.Median = summary(v.Rounds)
	}
	if r.Consumer != nil {
		r.Consumer.sum()
	}
}

func summary(rounds []figures) figures {
	of := func(get func(figures) float64) float64 {
		var values []float64
		for _, f := range rounds {
			values = append(values, get(f))
		}
		return median(values)
	}
	s := figures{
		PerSecond: of(func(f figures) float64 { return f.PerSecond }),
		CPU:       of(func(f figures) float64 { return f.CPU }),
		Ratio:     of(func(f figures) float64 { return f.Ratio }),
		Core:      of(func(f figures) float64 { return f.Core }),
		P50:       of(func(f figures) float64 { return f.P50 }),
		P99:       of(func(f figures) float64 { return f.P99 }),
		P999:      of(func(f figures) float64 { return f.P999 }),
	}
	for _, f := range rounds {
		s.Requests += f.Requests
		s.Max = max(s.Max, f.Max)
		s.Memory = max(s.Memory, f.Memory)
		s.Failed += f.Failed
		s.Late += f.Late
		s.Accepted += f.Accepted
		s.Queued += f.Queued
		s.Claims += f.Claims
		for status, n := range f.Statuses {
			if s.Statuses == nil {
				s.Statuses = make(map[int]int)
			}
			s.Statuses[status] += n
		}
	}
	return s
}

// problems returns what must not be: the promise broken, or late answers. That
// a goal was missed is none: another machine, or another minute, would differ.
func (r *report) problems() []string {
	var all []string
	add := func(v variantReport, format string, args ...any) {
		all = append(all, v.Title+": "+fmt.Sprintf(format, args...))
	}
	for _, v := range r.Variants {
		m := v.Median
		shed := 0
		if v.MayShed {
			shed = m.Statuses[http.StatusServiceUnavailable] + m.Statuses[http.StatusGatewayTimeout]
		}
		if m.Failed > shed {
			add(v, "%d answers were not 202 (%s)", m.Failed, statuses(m.Statuses))
		}
		if m.Late > 0 {
			add(v, "%d answers came later than %s", m.Late, late)
		}
		for _, f := range v.Rounds {
			switch {
			case v.Name == "bare": // keeps nothing
			case f.Queued < f.Accepted:
				add(v, "%d events were answered 202 and are not in the queue", f.Accepted-f.Queued)
			case f.Queued > f.Accepted && f.Failed == 0: // after a failure the outcome may be unknown
				add(v, "%d events are in the queue too many", f.Queued-f.Accepted)
			}
		}
	}
	if r.Consumer != nil {
		all = append(all, r.Consumer.problems()...)
	}
	return all
}

// consumed adds a round of the whole way.
func (r *report) consumed(f consumeFigures) {
	if r.Consumer == nil {
		r.Consumer = &consumerReport{Rate: pacedRate}
	}
	r.Consumer.Rounds = append(r.Consumer.Rounds, f)
}

func statuses(by map[int]int) string {
	var s []string
	for _, status := range slices.Sorted(maps.Keys(by)) {
		name := fmt.Sprint(status)
		if status == 0 {
			name = "no answer"
		}
		s = append(s, fmt.Sprintf("%s: %d", name, by[status]))
	}
	return strings.Join(s, ", ")
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
