package simulate

import (
	"context"
	"errors"
	"sync"
	"time"
)

type answerKey struct {
	kind   Kind
	status int
	code   string
}

type errorKey struct {
	kind  Kind
	class Class
}

type errorCount struct {
	count   int
	example string
}

type answerCount struct{ count, unexpected int }

// tally counts what became of the requests. It may be used by many goroutines.
type tally struct {
	deadline time.Duration

	mu        sync.Mutex
	events    int // begun, without copies
	lastEvent time.Time
	requests  int // begun, with copies
	answers   map[answerKey]answerCount
	errors    map[errorKey]errorCount
	latency   map[Kind]*histogram
	all       histogram
	late      map[Kind]int   // answers after the deadline
	silent    map[Kind]int   // no answer until the timeout
	taken     map[string]int // bodies that should not have been taken, by what was wrong with them
	classes   [6]int         // answers by the first digit of the status; 0: none
	cut       int            // given up because the run was stopped
	twice     int            // events accepted more than once
	givenUp   int            // events without a 2xx after all retries
}

func newTally(deadline time.Duration) *tally {
	t := &tally{
		deadline: deadline,
		answers:  map[answerKey]answerCount{},
		errors:   map[errorKey]errorCount{},
		latency:  map[Kind]*histogram{},
		late:     map[Kind]int{},
		silent:   map[Kind]int{},
		taken:    map[string]int{},
	}
	for _, kind := range kinds() {
		t.latency[kind] = new(histogram)
	}
	return t
}

// event counts an event that is about to be sent.
func (t *tally) event() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events++
	t.lastEvent = time.Now()
}

// begin counts a request that is about to be sent.
func (t *tally) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
}

// end counts what became of it.
func (t *tally) end(kind Kind, way string, r reply, c circumstance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.err != nil {
		t.fail(kind, r.err)
		return
	}
	t.classes[min(r.status/100, len(t.classes)-1)]++
	t.all.add(r.latency)
	t.latency[kind].add(r.latency)
	if r.latency > t.deadline {
		t.late[kind]++
	}
	if wronglyTaken(kind, r) {
		t.taken[way]++
	}
	key := answerKey{kind, r.status, r.code}
	n := t.answers[key]
	n.count++
	if !expected(kind, r, c) {
		n.unexpected++
	}
	t.answers[key] = n
}

func (t *tally) fail(kind Kind, err error) {
	if errors.Is(err, context.Canceled) {
		t.cut++
		return
	}
	t.classes[0]++
	class := classOf(err)
	if class == ClassTimeout {
		t.silent[kind]++
	}
	key := errorKey{kind, class}
	n := t.errors[key]
	n.count++
	if n.example == "" {
		n.example = shorten(err.Error())
	}
	t.errors[key] = n
}

// acceptedTwice counts an event of which more than one copy was accepted.
func (t *tally) acceptedTwice() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.twice++
}

// gaveUp counts an event that no retry has brought through.
func (t *tally) gaveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.givenUp++
}

// maxExample is how much of an error's text the report has, in bytes.
const maxExample = 160

func shorten(s string) string {
	if len(s) <= maxExample {
		return s
	}
	return s[:maxExample] + "..."
}
