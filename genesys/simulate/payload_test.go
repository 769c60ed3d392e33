package simulate

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func testWriter(seed uint64) writer { return writer{rng: rand.New(rand.NewPCG(seed, 0))} }

func testEvent(t *testing.T, w writer) []byte {
	t.Helper()
	body, err := w.event(time.Date(2026, 7, 4, 12, 0, 0, 123_456_789, time.FixedZone("", 7200)))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestEventsLookLikeActionMapEvents(t *testing.T) {
	uuid := `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`
	patterns := map[string]*regexp.Regexp{
		"campaignId":     regexp.MustCompile(`^` + uuid + `$`),
		"contactId":      regexp.MustCompile(`^` + uuid + `$`),
		"contactNumber":  regexp.MustCompile(`^\+1[2-9]\d\d55501\d\d$`),
		"timestamp":      regexp.MustCompile(`^2026-07-04T10:00:00\.123Z$`),
		"webhookEventId": regexp.MustCompile(`^evt_[0-9a-z]{32}$`),
	}
	agent := []string{"agentId", "agentName", "dispositionCode", "dispositionLabel"}
	outcomes, null, absent := map[string]bool{}, 0, 0
	w := testWriter(1)
	for range 300 {
		body := testEvent(t, w)
		if !jsontext.Value(body).IsValid() {
			t.Fatalf("not strict JSON: %s", body)
		}
		event := decodeEvent(t, body)
		for name, pattern := range patterns {
			if value, _ := event[name].(string); !pattern.MatchString(value) {
				t.Fatalf("%s is %q", name, event[name])
			}
		}
		if _, ok := event["callDurationSeconds"].(float64); !ok {
			t.Fatalf("callDurationSeconds is %v", event["callDurationSeconds"])
		}
		outcome, _ := event["callOutcome"].(string)
		outcomes[outcome] = true
		for _, name := range agent {
			value, present := event[name]
			if _, isString := value.(string); isString != (outcome == "answered") {
				t.Fatalf("%s of an event that is %s is %v", name, outcome, value)
			}
			switch {
			case !present:
				absent++
			case value == nil:
				null++
			}
		}
	}
	if len(outcomes) < 5 || null == 0 || absent == 0 {
		t.Errorf("no variety: outcomes %v, %d null, %d absent", outcomes, null, absent)
	}
}

func TestMalformedBodiesAreMalformed(t *testing.T) {
	w := testWriter(2)
	ways := map[string]bool{}
	for range 300 {
		good := testEvent(t, w)
		if !wellFormed(good) {
			t.Fatalf("a good event is not well formed: %s", good)
		}
		body, way := w.malform(good, payloadOf("pe-action-map"))
		ways[way] = true
		if wellFormed(body) {
			t.Fatalf("%s is well formed: %s", way, body)
		}
		if valid := jsontext.Value(body).IsValid(); valid != (way == "wrong_type" || way == "array") {
			t.Fatalf("%s: valid JSON is %v: %s", way, valid, body)
		}
		if utf8.Valid(body) == (way == "bad_utf8") {
			t.Fatalf("%s: valid UTF-8 is %v", way, utf8.Valid(body))
		}
	}
	if len(ways) != 7 {
		t.Errorf("only %d ways: %v", len(ways), ways)
	}
}

func TestOversizedBodiesAreValidAndTooLarge(t *testing.T) {
	w := testWriter(3)
	for _, limit := range []int{1, 100, 1000, DefaultMaxBody} {
		sizes := map[int]bool{}
		for range 20 {
			body := w.oversize(testEvent(t, w), limit)
			if len(body) <= limit {
				t.Fatalf("%d bytes are within the limit of %d", len(body), limit)
			}
			if !wellFormed(body) {
				t.Fatal("only the size should be wrong")
			}
			sizes[len(body)-limit] = true
		}
		if limit == DefaultMaxBody && !cmp.Equal(sizes, map[int]bool{1: true, limit: true, farOversized: true}) {
			t.Errorf("beyond the limit by %v", sizes)
		}
	}
}

func TestOneSeedMakesOnePlan(t *testing.T) {
	o := &Options{Malformed: 0.2, Oversized: 0.1, Slow: 0.1, Duplicates: 0.5, InFlight: 0.3, Chunked: 0.5, MaxBody: 2000}
	take := func(seed uint64) []step {
		p := newPlan(o, seed)
		var steps []step
		for range 60 {
			s, err := p.next(time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			steps = append(steps, s)
		}
		return steps
	}
	// Bodies are compared as a whole: cmp is slow on long slices.
	how := cmp.Options{cmp.AllowUnexported(step{}), cmp.Comparer(bytes.Equal)}
	if diff := cmp.Diff(take(7), take(7), how); diff != "" {
		t.Errorf("the same seed gave other events:\n%s", diff)
	}
	if cmp.Equal(take(7), take(8), how) {
		t.Error("another seed gave the same events")
	}
}

func TestPlanMeetsItsShares(t *testing.T) {
	p := newPlan(&Options{Malformed: 0.1, Oversized: 0.02, Slow: 0.3, Duplicates: 0.5, InFlight: 0.25, Chunked: 0.5, MaxBody: 2000}, 1)
	got := map[string]int{}
	for range 1000 {
		s, err := p.next(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got[string(s.kind)]++
		for name, yes := range map[string]bool{"copied": s.duplicate, "paired": s.inFlight, "chunked": s.chunked[firstCopy]} {
			if yes {
				got[name]++
			}
		}
		if (s.duplicate || s.inFlight) && s.kind != Good {
			t.Fatalf("a copy of a %s body was planned", s.kind)
		}
		if (s.way != "") != (s.kind == Malformed || s.kind == Oversized) {
			t.Fatalf("a %s body is said to be wrong by %q", s.kind, s.way)
		}
	}
	if c := got["chunked"]; c < 400 || c > 600 {
		t.Errorf("%d of 1000 are chunked, want about half", c)
	}
	delete(got, "chunked")
	want := map[string]int{"good": 580, "malformed": 100, "oversized": 20, "slow": 300, "copied": 290, "paired": 145}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
}

func TestAShareOfAllLeavesNothingElse(t *testing.T) {
	p := newPlan(&Options{Malformed: 0.7, Oversized: 0.2, Slow: 0.1, MaxBody: 100}, 1)
	for range 200 {
		s, err := p.next(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if s.kind == Good {
			t.Fatal("a good event was planned")
		}
	}
}

func TestExamplesOfErrorsAreShort(t *testing.T) {
	if got := shorten(strings.Repeat("x", 1000)); len(got) > maxExample+3 {
		t.Errorf("%d bytes", len(got))
	}
}
