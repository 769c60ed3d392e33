package deadletter

import (
	"errors"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/hook"
)

func TestAnEditMakesANewEventThatNamesTheOld(t *testing.T) {
	l := letter("evt", hook.KindInvalid, body(`{"callOutcome":1}`), replayed(2), func(l *hook.DeadLetter) { l.Event.Attempt = 3 })
	f := newFake(letter("first", hook.KindPoison), l, letter("last", hook.KindPoison))
	d := &Local{Letters: f}
	opts := EditOptions{ID: l.ID, Body: []byte(goodBody), DryRun: true}
	dry, err := d.Edit(t.Context(), opts)
	if err != nil || len(f.letters) != 3 {
		t.Fatalf("%v, %d letters", err, len(f.letters))
	}
	opts.DryRun = false
	got, err := d.Edit(t.Context(), opts)
	if err != nil || got != dry {
		t.Fatalf("%v: %+v, in the dry run %+v", err, got, dry)
	}
	ev := f.sent[0]
	if ev.ID != "evt~"+got.Fingerprint[:8] || got.EventDigest != hook.LogID(ev.ID) || string(ev.Body) != goodBody || ev.Attempt != 0 || ev.Replay != 0 ||
		ev.Header[hook.HeaderReplaces] != l.ID || ev.Contract != "pe-action-map/1" || ev.Fingerprint == l.Event.Fingerprint || !ev.ReceivedAt.Equal(l.Event.ReceivedAt) {
		t.Errorf("got %+v", ev)
	}
	if ids := f.ids(); len(ids) != 2 || ids[0] != "first" || ids[1] != "last" {
		t.Errorf("left are %v", ids)
	}
	if l.Event.Header != nil {
		t.Error("the letter was changed")
	}
}

func TestAnEditThatWasInterruptedMakesTheSameEvent(t *testing.T) {
	l := letter("evt", hook.KindInvalid, body(`{}`))
	f := newFake(l)
	d := &Local{Letters: f}
	opts := EditOptions{ID: l.ID, Body: []byte(goodBody)}
	f.crashAfter = 1
	if _, err := d.Edit(t.Context(), opts); !errors.Is(err, errCrash) || len(f.letters) != 1 || len(f.sent) != 1 {
		t.Fatalf("%v, %d letters, %d sent", err, len(f.letters), len(f.sent))
	}
	// The new event has failed meanwhile, and is to be sent with it.
	f.letters = append(f.letters, letter(f.sent[0].ID, hook.KindExhausted, func(l *hook.DeadLetter) { l.Event = f.sent[0] }))
	f.crashAfter = -1
	if _, err := d.Edit(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	mustReplay(t, d, all)
	keys := map[string]int{}
	for _, ev := range f.sent {
		keys[hook.InboxKey(ev.Hook, ev.ID, ev.Replay)]++
	}
	if len(keys) != 2 || len(f.sent) != 3 { // the one that has failed, and one
		t.Errorf("keys %v", keys)
	}
}

func TestAnEditThatMakesNoSenseChangesNothing(t *testing.T) {
	l := letter("evt", hook.KindPermanent)
	foreign := letter("foreign", hook.KindPermanent, func(l *hook.DeadLetter) { l.Event.Contract = "orders/1" })
	for _, tc := range []struct {
		name string
		opts EditOptions
		want string
	}{
		{"no letter", EditOptions{ID: "0123456789abcdef", Body: []byte("{}")}, "no such letter"},
		{"no ID", EditOptions{Body: []byte("{}")}, "not the ID of a letter"},
		{"nothing to change", EditOptions{ID: l.ID}, "a body, or a patch"},
		{"a body and a patch", EditOptions{ID: l.ID, Body: []byte("{}"), Patch: []byte("{}")}, "a body, or a patch"},
		{"the same body", EditOptions{ID: l.ID, Body: []byte(goodBody)}, "send the letter again instead"},
		{"an empty patch", EditOptions{ID: l.ID, Patch: []byte("{}")}, "send the letter again instead"},
		{"a patch that is a list", EditOptions{ID: l.ID, Patch: []byte("[]")}, "not a JSON object"},
		{"a patch with a name twice", EditOptions{ID: l.ID, Patch: []byte(`{"a":1,"a":2}`)}, "each name once"},
		{"an invalid body", EditOptions{ID: l.ID, Patch: []byte(`{"callOutcome":null}`)}, "the new body: does not meet pe-action-map/1: /callOutcome missing"},
		{"no JSON", EditOptions{ID: l.ID, Body: []byte(`{"a"`)}, "the new body: the body breaks off"},
		{"an unknown contract", EditOptions{ID: foreign.ID, Body: []byte(`{}`)}, "orders is not built in"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(l, foreign)
			_, err := (&Local{Letters: f}).Edit(t.Context(), tc.opts)
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(f.sent) != 0 || len(f.letters) != 2 {
				t.Errorf("%v, %d sent", err, len(f.sent))
			}
		})
	}
}

func TestAPatchChangesWhatItNames(t *testing.T) {
	for _, tc := range []struct{ name, body, patch, want string }{
		{"a value", `{"a":1.50,"b":"x"}`, `{"b":"y"}`, `{"a":1.50,"b":"y"}`},
		{"a new name", `{"a":1}`, `{"z":0,"b":{"c":null,"d":1}}`, `{"a":1,"z":0,"b":{"d":1}}`},
		{"a name that goes", `{"a":1,"b":2}`, `{"a":null,"c":null}`, `{"b":2}`},
		{"inside of an object", `{"a":{"b":1,"c":2}}`, `{"a":{"b":null,"d":[null]}}`, `{"a":{"c":2,"d":[null]}}`},
		{"a list as a whole", `{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{"an object where a value was", `{"a":1}`, `{"a":{"b":null}}`, `{"a":{}}`},
		{"nulls that were there", `{"a":null,"b":1}`, `{"b":2}`, `{"a":null,"b":2}`},
		{"large numbers and escapes", `{"a":12345678901234567890,"b":"\u00fc\/"}`, `{"c":1}`, `{"a":12345678901234567890,"b":"\u00fc\/","c":1}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := mergePatch([]byte(tc.body), []byte(tc.patch))
			if err != nil || string(got) != tc.want {
				t.Errorf("got %s, %v, want %s", got, err, tc.want)
			}
		})
	}
	if _, err := mergePatch([]byte(`[]`), []byte(`{}`)); !errors.Is(err, errNotObject) {
		t.Errorf("a list: %v", err)
	}
}
