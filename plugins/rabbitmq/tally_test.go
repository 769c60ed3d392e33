package rabbitmq

import (
	"testing"
	"time"
)

func TestATallyKnowsForHowLongNothingWasConfirmed(t *testing.T) {
	const s = time.Second
	type step struct {
		at      time.Duration
		what    string // write, confirm, lose
		stalled time.Duration
		ignored time.Duration
	}
	for name, steps := range map[string][]step{
		"nothing is written":                 {{5 * s, "", 0, 0}},
		"one waits":                          {{0, "write", 0, 0}, {3 * s, "", 3 * s, 3 * s}},
		"a bit is nothing":                   {{0, "write", 0, 0}, {s, "", 0, 0}},
		"it is confirmed":                    {{0, "write", 0, 0}, {3 * s, "confirm", 0, 0}, {9 * s, "", 0, 0}},
		"it is lost":                         {{0, "write", 0, 0}, {3 * s, "lose", 0, 0}, {9 * s, "write", 0, 0}, {12 * s, "", 3 * s, 3 * s}},
		"a later one is confirmed":           {{0, "write", 0, 0}, {s, "write", 0, 0}, {s, "confirm", 0, 0}, {4 * s, "", 3 * s, 0}},
		"and one after that is not":          {{0, "write", 0, 0}, {s, "write", 0, 0}, {s, "confirm", 0, 0}, {4 * s, "write", 3 * s, 0}, {6 * s, "", 5 * s, 2 * s}},
		"more are written and none comes":    {{0, "write", 0, 0}, {2 * s, "write", 2 * s, 2 * s}, {4 * s, "write", 4 * s, 4 * s}},
		"one of those that wait is lost":     {{0, "write", 0, 0}, {s, "write", 0, 0}, {3 * s, "lose", 3 * s, 3 * s}},
		"all that are left wait for another": {{0, "write", 0, 0}, {0, "write", 0, 0}, {s, "confirm", 0, 0}, {3 * s, "lose", 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var ta tally
			begin := time.Unix(1_800_000_000, 0)
			for n, st := range steps {
				now := begin.Add(st.at)
				switch st.what {
				case "write":
					ta.begin(now)
				case "confirm", "lose":
					ta.end(st.what == "confirm", now)
				}
				if d := ta.stalledFor(s, now); d != st.stalled {
					t.Errorf("step %d: stalled for %s, not %s", n, d, st.stalled)
				}
				if d := ta.ignoredFor(s, now); d != st.ignored {
					t.Errorf("step %d: ignored for %s, not %s", n, d, st.ignored)
				}
			}
		})
	}
}
