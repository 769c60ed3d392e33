package deadletter

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// world is a queue with its dead letters, a consumer with its inbox, and a
// downstream that counts.
type world struct {
	*fake
	inbox   map[string]bool
	effects map[string]int // by event
	queued  int            // of f.sent, how many the consumer has seen
	down    bool
}

// consume processes what was sent, as the consumer does.
func (w *world) consume(t *rapid.T) {
	for ; w.queued < len(w.sent); w.queued++ {
		ev := w.sent[w.queued]
		key := hook.InboxKey(ev.Hook, ev.ID, ev.Replay)
		switch {
		case w.inbox[key]:
		case w.down:
			w.letters = append(w.letters, letter(ev.ID, hook.KindExhausted, func(l *hook.DeadLetter) {
				copied := *ev
				l.Event = &copied
			}))
		default:
			w.inbox[key] = true
			w.effects[ev.ID]++
			if w.effects[ev.ID] > 1 {
				t.Fatalf("%s has two effects, the second under %s", ev.ID, key)
			}
		}
	}
}

// TestNothingIsLostOrDoneTwiceWhateverIsInterruptedWhen replays letters in runs
// that end anywhere, with filters, limits and a downstream that comes and goes.
// In the end each event has one effect.
func TestNothingIsLostOrDoneTwiceWhateverIsInterruptedWhen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{fake: newFake(), inbox: map[string]bool{}, effects: map[string]int{}}
		want := map[string]bool{}
		for i := range rapid.IntRange(1, 3).Draw(t, "events") {
			kind := rapid.SampledFrom([]hook.Kind{hook.KindPermanent, hook.KindConflict, hook.KindInvalid}).Draw(t, "kind")
			for range rapid.IntRange(1, 2).Draw(t, "copies") {
				l := letter(fmt.Sprintf("evt-%d", i), kind, replayed(rapid.IntRange(0, 1).Draw(t, "replay")))
				w.letters = append(w.letters, l)
				want[again(l).ID] = true
			}
		}
		w.letters = rapid.Permutation(w.letters).Draw(t, "order")
		d := &Local{Letters: w.fake}
		for range rapid.IntRange(0, 8).Draw(t, "runs") {
			w.down = rapid.Bool().Draw(t, "down")
			w.crashAfter = rapid.IntRange(-1, 8).Draw(t, "crash")
			opts := ReplayOptions{All: true, Limit: rapid.IntRange(0, 4).Draw(t, "limit")}
			if len(w.letters) > 0 && rapid.Bool().Draw(t, "one") {
				l := rapid.SampledFrom(w.letters).Draw(t, "letter")
				opts.All, opts.Filter.IDs = false, []string{l.ID}
			}
			_, _ = d.Replay(t.Context(), opts, nil)
			w.consume(t)
			if kept := len(w.letters) + len(w.effects); kept < len(want) {
				t.Fatalf("%d events of %d are there", kept, len(want))
			}
		}
		w.down, w.crashAfter = false, -1
		if _, err := d.Replay(t.Context(), all, nil); err != nil {
			t.Fatal(err)
		}
		w.consume(t)
		for id := range want {
			if w.effects[id] != 1 {
				t.Errorf("%s has %d effects", id, w.effects[id])
			}
		}
		if len(w.letters) > 0 || len(w.effects) != len(want) {
			t.Errorf("%d letters are left, %d events were processed", len(w.letters), len(w.effects))
		}
	})
}
