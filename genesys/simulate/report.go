package simulate

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"time"
)

// Report is the result of a run.
type Report struct {
	URL         string // without its query, which may hold a token
	Source      string // Options.Source
	Payload     string // Options.Payload
	Release     string // Options.Release, "today" for none
	Seed        uint64
	Started     time.Time
	Elapsed     time.Duration // until the last answer
	Sending     time.Duration // until the last event was begun
	Interrupted bool          // the run was stopped before its end
	Events      int           // without copies
	Requests    int           // with copies
	Rate        float64       // Options.Rate: events per second, 0 for as fast as possible
	Deadline    time.Duration // Options.Deadline

	Answers   []Answers         // by kind, status and code
	Latencies []Latency         // the first one is the total, then by kind
	Errors    []TransportErrors // by kind and class

	Late          int            // answers after the deadline
	Silent        int            // requests without an answer until the timeout
	WronglyTaken  map[string]int // bodies answered 2xx that should not be, by what is wrong with them
	AcceptedTwice int            // events of which two copies were accepted
	GivenUp       int            // events without a 2xx after all retries
	Abandoned     int            // requests given up because the run was stopped
}

// Answers counts equal answers to one kind of request.
type Answers struct {
	Sent       Kind
	Status     int
	Code       string // the answer's `code` or `status`; "-" for none
	Count      int
	Share      float64 // of all answers to the kind, 0 to 1
	Unexpected int     // how many of them a receiver should not give
}

// Latency sums up how long answers took, from the beginning of the request,
// which may open a connection, to the header of the answer. Sent is empty for the total.
type Latency struct {
	Sent               Kind
	Count              int
	P50, P90, P99, Max time.Duration
	Late               int
}

// TransportErrors counts requests without an answer.
type TransportErrors struct {
	Sent    Kind
	Class   Class
	Count   int
	Example string // the text of the first
}

func newReport(o *Options, u *url.URL, t *tally, started time.Time, interrupted bool) *Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	r := &Report{
		URL:           plain.String(),
		Source:        o.Source,
		Payload:       o.Payload,
		Release:       cmp.Or(o.Release, "today"),
		Seed:          o.Seed,
		Started:       started.UTC(),
		Elapsed:       time.Since(started),
		Interrupted:   interrupted,
		Events:        t.events,
		Requests:      t.requests,
		Rate:          o.Rate,
		Deadline:      o.Deadline,
		Answers:       answersOf(t),
		Latencies:     latenciesOf(t),
		Errors:        errorsOf(t),
		WronglyTaken:  maps.Clone(t.taken),
		AcceptedTwice: t.twice,
		GivenUp:       t.givenUp,
		Abandoned:     t.cut,
	}
	if t.events > 0 {
		r.Sending = t.lastEvent.Sub(started)
	}
	for _, kind := range kinds() {
		r.Late += t.late[kind]
		r.Silent += t.silent[kind]
	}
	return r
}

func answersOf(t *tally) []Answers {
	rows := make([]Answers, 0, len(t.answers))
	for key, n := range t.answers {
		rows = append(rows, Answers{
			Sent:       key.kind,
			Status:     key.status,
			Code:       key.code,
			Count:      n.count,
			Share:      float64(n.count) / float64(t.latency[key.kind].count),
			Unexpected: n.unexpected,
		})
	}
	slices.SortFunc(rows, func(a, b Answers) int {
		return cmp.Or(compareKinds(a.Sent, b.Sent), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Code, b.Code))
	})
	return rows
}

func latenciesOf(t *tally) []Latency {
	total := latencyOf(&t.all)
	rows := make([]Latency, 1, 1+len(t.latency))
	for _, kind := range kinds() {
		total.Late += t.late[kind]
		if t.latency[kind].count == 0 {
			continue
		}
		row := latencyOf(t.latency[kind])
		row.Sent, row.Late = kind, t.late[kind]
		rows = append(rows, row)
	}
	rows[0] = total
	return rows
}

func latencyOf(h *histogram) Latency {
	return Latency{
		Count: h.count,
		P50:   h.quantile(0.50),
		P90:   h.quantile(0.90),
		P99:   h.quantile(0.99),
		Max:   h.max,
	}
}

func errorsOf(t *tally) []TransportErrors {
	rows := make([]TransportErrors, 0, len(t.errors))
	for key, n := range t.errors {
		rows = append(rows, TransportErrors{Sent: key.kind, Class: key.class, Count: n.count, Example: n.example})
	}
	slices.SortFunc(rows, func(a, b TransportErrors) int {
		return cmp.Or(compareKinds(a.Sent, b.Sent), cmp.Compare(a.Class, b.Class))
	})
	return rows
}

func compareKinds(a, b Kind) int {
	return cmp.Compare(slices.Index(kinds(), a), slices.Index(kinds(), b))
}
