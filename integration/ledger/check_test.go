package ledger

import (
	"strings"
	"testing"
	"time"
)

var (
	begin  = time.Unix(1_800_000_000, 0)
	bounds = Bounds{Answer: 550 * time.Millisecond, Recovery: 10 * time.Second}
)

// at is an answer so many seconds after the beginning.
func at(seconds float64, status int, code string) Answer {
	return Answer{At: begin.Add(time.Duration(seconds * float64(time.Second))), Took: time.Millisecond, Status: status, Code: code}
}

func TestTheCheckerSeesEachBrokenPromise(t *testing.T) {
	faults := []Fault{{What: "down", From: begin.Add(10 * time.Second), To: begin.Add(20 * time.Second)}}
	slow := at(1, 202, "accepted")
	slow.Took = 551 * time.Millisecond
	for _, tc := range []struct {
		name    string
		answers []Answer
		found   Found
		want    string // a part of the one broken promise, "" for none
	}{
		{"taken, with an effect", []Answer{at(1, 202, "accepted")}, Found{Effects: map[string]int{"e": 1}}, ""},
		{"taken, a dead letter", []Answer{at(1, 202, "parked")}, Found{Dead: map[string]int{"e": 1}}, ""},
		{"taken, and nothing there", []Answer{at(1, 202, "accepted")}, Found{}, "not there"},
		{"called a duplicate, and nothing there", []Answer{at(1, 504, "outcome_unknown"), at(2, 200, "duplicate")}, Found{}, "not there"},
		{"two effects", []Answer{at(1, 202, "accepted")}, Found{Effects: map[string]int{"e": 2}}, "more than once"},
		{"two effects of what was never taken", []Answer{at(1, 504, "outcome_unknown"), at(2, 202, "accepted")}, Found{Effects: map[string]int{"e": 1, "x": 2}}, "more than once: x"},
		{"a copy that had no effect", []Answer{at(1, 202, "accepted")}, Found{Effects: map[string]int{"e": 1}, Copies: 1}, ""},
		{"never taken", []Answer{at(1, 503, "queue_unavailable")}, Found{}, "never taken"},
		{"a duplicate after a refusal", []Answer{at(11, 503, "queue_unavailable"), at(12, 200, "duplicate")}, Found{Effects: map[string]int{"e": 1}}, "never durable"},
		{"a duplicate at once", []Answer{at(1, 200, "duplicate")}, Found{Effects: map[string]int{"e": 1}}, "never durable"},
		{"a duplicate after a doubt", []Answer{at(11, 504, "outcome_unknown"), at(12, 200, "duplicate")}, Found{Effects: map[string]int{"e": 1}}, ""},
		{"a duplicate after no answer", []Answer{at(11, 0, "none"), at(12, 200, "duplicate")}, Found{Effects: map[string]int{"e": 1}}, ""},
		{"an answer that is late", []Answer{slow}, Found{Effects: map[string]int{"e": 1}}, "after 550ms"},
		{"refused while the fault lasts", []Answer{at(19, 503, "queue_unavailable"), at(21, 202, "accepted")}, Found{Effects: map[string]int{"e": 1}}, ""},
		{"refused soon after", []Answer{at(29, 503, "queue_unavailable"), at(31, 202, "accepted")}, Found{Effects: map[string]int{"e": 1}}, ""},
		{"refused long after", []Answer{at(31, 503, "queue_unavailable"), at(32, 202, "accepted")}, Found{Effects: map[string]int{"e": 1}}, "refused 11s after"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var l Ledger
			for _, a := range tc.answers {
				l.Note("e", a)
			}
			broken := strings.Join(l.Check(tc.found, faults, bounds).Broken(), "\n")
			switch {
			case tc.want == "" && broken != "":
				t.Errorf("unexpected: %s", broken)
			case tc.want != "" && (!strings.Contains(broken, tc.want) || strings.Contains(broken, "\n")):
				t.Errorf("got %q, want only %q", broken, tc.want)
			}
		})
	}
}

func TestAReportHasTheFiguresOfAllAnswers(t *testing.T) {
	var l Ledger
	l.Note("a", Answer{At: begin, Took: 10 * time.Millisecond, Status: 202, Code: "accepted"})
	l.Note("b", Answer{At: begin, Took: time.Minute, Code: "none"})
	l.Note("b", Answer{At: begin, Took: 30 * time.Millisecond, Status: 202, Code: "accepted"})
	r := l.Check(Found{Effects: map[string]int{"a": 1, "b": 1}}, nil, bounds)
	if r.Events != 2 || r.Answers != 3 || r.Taken != 2 || r.Unanswered != 1 || r.Codes["accepted"] != 2 {
		t.Errorf("counts: %+v", r)
	}
	if r.Slowest != 30*time.Millisecond || r.P50 != 10*time.Millisecond || r.Late != 0 {
		t.Errorf("a request without an answer counts as one: %+v", r)
	}
	if l.Len() != 2 || l.Taken() != 2 {
		t.Errorf("%d events, %d taken", l.Len(), l.Taken())
	}
}
