package main

import (
	"strings"
	"testing"
	"time"
)

func TestTheTimeFromAnAnswerToTheProcessingIsTakenPerEvent(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	var f consumeFigures
	f.setTimes(
		map[string]time.Time{"a": at(0), "b": at(10), "c": at(20), "lost": at(30)},
		map[string]time.Time{"a": at(5), "b": at(9), "c": at(60), "other": at(70)},
	)
	if f.Paced != 3 || f.Missing != 1 || f.P50 != 5 || f.P99 != 40 || f.Max != 40 {
		t.Errorf("%+v", f)
	}
}

func TestAnEventThatIsNotProcessedIsAProblem(t *testing.T) {
	for name, c := range map[string]struct {
		f    consumeFigures
		want string
	}{
		"all are processed": {consumeFigures{Accepted: 5, Processed: 5}, ""},
		"one is missing":    {consumeFigures{Accepted: 5, Processed: 4}, "1 events were answered 202 and not processed"},
		"another is there":  {consumeFigures{Accepted: 5, Processed: 5, Missing: 2}, "2 events were answered 202 and not processed"},
		"too many":          {consumeFigures{Accepted: 5, Processed: 6}, "1 events too many"},
		"a refusal":         {consumeFigures{Accepted: 5, Processed: 6, Failed: 1}, "1 answers were not 202"},
	} {
		t.Run(name, func(t *testing.T) {
			r := new(report)
			r.consumed(c.f)
			r.sum()
			if got := strings.Join(r.problems(), "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Error(got)
			}
		})
	}
}

func TestTheConsumerHasATableOfItsOwn(t *testing.T) {
	r := new(report)
	for _, p99 := range []float64{120, 20, 30} {
		r.consumed(consumeFigures{PerSecond: 1500, CPU: 90, P99: p99, Max: p99, Accepted: 10, Processed: 10})
	}
	r.sum()
	var out strings.Builder
	if err := r.writeTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"1,500", "30.0", "120", "500 events/s: reached"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("no %q in %s", text, out.String())
		}
	}
	if strings.Contains(out.String(), "not 202") {
		t.Errorf("an empty table in %s", out.String())
	}
}

func TestARequestKnowsItsID(t *testing.T) {
	r := newRequests("host")
	for range 100 {
		raw := string(r.request())
		if id := r.last(); len(id) != len(noID) || !strings.Contains(raw, `"webhookEventId":"`+id+`"`) {
			t.Fatal(id, raw)
		}
	}
}
