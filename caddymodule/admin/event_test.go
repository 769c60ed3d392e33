package admin

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookgate/hookgate/hook"
)

func TestAQueueSaysNoneAndLeavesOutWhatItCannotTell(t *testing.T) {
	for name, tc := range map[string]struct {
		counts hook.Counts
		want   string
	}{
		"it tells":        {hook.Counts{Ready: 7, Dead: 1, Tells: true}, `{"ready":7,"due":0,"in_work":0,"dead":1}`},
		"it cannot tell":  {hook.Counts{Ready: 7, Dead: 1}, `{"ready":7,"dead":1}`},
		"there are some":  {hook.Counts{Due: 2, InWork: 3, Tells: true}, `{"ready":0,"due":2,"in_work":3,"dead":0}`},
		"nothing is left": {hook.Counts{Tells: true}, `{"ready":0,"due":0,"in_work":0,"dead":0}`},
	} {
		if got, err := json.Marshal(NewQueue(tc.counts)); err != nil || string(got) != tc.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, tc.want, err)
		}
	}
}

func TestABodyThatIsNotUTF8MakesNoAnswerThatIsNotJSON(t *testing.T) {
	entries := []hook.Entry{{Event: &hook.Event{Body: []byte("{\"a\":\"\xff\"}")}}}
	raw, err := json.Marshal(NewEvents(entries, true))
	if err != nil || !utf8.Valid(raw) || !strings.Contains(string(raw), `"body":"{\"a\":`) {
		t.Errorf("%q, %v", raw, err)
	}
}
