package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Found is what there is of the events in the end, by event ID.
type Found struct {
	Effects map[string]int // how often each took effect
	Dead    map[string]int // how often each is a dead letter
	Copies  int            // deliveries beyond the first of each that had no effect
}

// Bounds are what the promise says of time.
type Bounds struct {
	Answer   time.Duration // no answer comes later
	Recovery time.Duration // so long after a fault has ended every event is taken
}

// Fault is a time in which something was down.
type Fault struct {
	What     string
	From, To time.Time
}

// Report is what a check found. The lists hold event IDs, sorted.
type Report struct {
	Events, Answers int
	Taken           int // events with a promise
	Codes           map[string]int

	Missing    []string // taken, and there is neither an effect nor a dead letter
	Twice      []string // more than one effect
	Untaken    []string // never taken, though it was sent until the end
	False      []string // called a duplicate before it could be durable
	Late       int      // answers after the bound
	Unanswered int      // requests whose connection ended without an answer
	Slowest    time.Duration
	P50, P99   time.Duration
	P999       time.Duration
	Recovery   time.Duration // the longest time from the end of a fault to the last new event that was not taken
	Copies     int

	bounds Bounds
}

// Check holds the journal against what was found.
func (l *Ledger) Check(found Found, faults []Fault, bounds Bounds) Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Report{Events: len(l.events), Codes: make(map[string]int), Copies: found.Copies, bounds: bounds}
	var times []time.Duration
	for _, id := range slices.Sorted(maps.Keys(l.events)) {
		answers := l.events[id]
		r.judge(id, answers, found)
		for _, a := range answers {
			r.Answers++
			r.Codes[a.Code]++
			if a.Status == 0 {
				r.Unanswered++
				continue
			}
			times = append(times, a.Took)
			if a.Took > bounds.Answer {
				r.Late++
			}
		}
		if first := answers[0]; !first.Taken() {
			r.Recovery = max(r.Recovery, sinceHealed(first.At, faults))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(found.Effects)) {
		if found.Effects[id] > 1 {
			r.Twice = append(r.Twice, id)
		}
	}
	r.setTimes(times)
	return r
}

// judge holds one event against what was found of it.
func (r *Report) judge(id string, answers []Answer, found Found) {
	promised, possible := false, false
	for _, a := range answers {
		if a.Code == "duplicate" && !possible {
			r.False = append(r.False, id)
		}
		promised = promised || a.Taken()
		possible = possible || a.Taken() || a.unknown()
	}
	switch {
	case !promised:
		r.Untaken = append(r.Untaken, id)
	case found.Effects[id] == 0 && found.Dead[id] == 0:
		r.Missing = append(r.Missing, id)
	}
	if promised {
		r.Taken++
	}
}

// sinceHealed returns how long before at the last fault had ended, and 0 while
// one lasts, or where none has been.
func sinceHealed(at time.Time, faults []Fault) time.Duration {
	since := time.Duration(0)
	for _, f := range faults {
		if !at.Before(f.From) && !at.After(f.To) {
			return 0
		}
		if d := at.Sub(f.To); d > 0 && (since == 0 || d < since) {
			since = d
		}
	}
	return since
}

func (r *Report) setTimes(times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	at := func(share float64) time.Duration { return times[int(share*float64(len(times)-1))] }
	r.P50, r.P99, r.P999, r.Slowest = at(0.5), at(0.99), at(0.999), times[len(times)-1]
}

// Broken returns the promises that were not kept, in words.
func (r Report) Broken() []string {
	var broken []string
	say := func(ids []string, what string) {
		if len(ids) > 0 {
			broken = append(broken, fmt.Sprintf("%d events %s: %s", len(ids), what, some(ids)))
		}
	}
	say(r.Missing, "were taken and are not there")
	say(r.Twice, "took effect more than once")
	say(r.Untaken, "were never taken")
	say(r.False, "were called duplicates of what was never durable")
	if r.Late > 0 {
		broken = append(broken, fmt.Sprintf("%d answers came after %s, the slowest after %s", r.Late, r.bounds.Answer, r.Slowest.Round(time.Millisecond)))
	}
	if r.Recovery > r.bounds.Recovery {
		broken = append(broken, fmt.Sprintf("a new event was refused %s after the fault had ended", r.Recovery.Round(10*time.Millisecond)))
	}
	return broken
}

// some returns the first IDs of a list.
func some(ids []string) string {
	const most = 5
	if len(ids) <= most {
		return strings.Join(ids, ", ")
	}
	return strings.Join(ids[:most], ", ") + ", ..."
}
