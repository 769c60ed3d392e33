package contract

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/hookgate/hookgate/hook"
)

func TestAMissingEventIDSaysWhichPointerAndWhy(t *testing.T) {
	r := newReader(t, Options{EventID: &EventID{Pointers: []string{"/a", "/b/c~1d/0"}}})
	for _, tc := range []struct{ name, body, want string }{
		{"both absent", `{}`, "the event ID /a is absent"},
		{"the first null", `{"a":null}`, "the event ID /a is null"},
		{"the first a number", `{"a":1}`, "the event ID /a is not a string"},
		{"the first true", `{"a":true}`, "the event ID /a is not a string"},
		{"the first an object", `{"a":{"x":"y"}}`, "the event ID /a is not a string"},
		{"the first an array", `{"a":["x"]}`, "the event ID /a is not a string"},
		{"the first empty", `{"a":""}`, "the event ID /a is empty"},
		{"a line feed", `{"a":"x\n"}`, "the event ID /a has a control character"},
		{"a zero", `{"a":"\u0000"}`, "the event ID /a has a control character"},
		{"DEL", "{\"a\":\"x\x7f\"}", "the event ID /a has a control character"},
		{"a C1 control character", `{"a":"x\u009f"}`, "the event ID /a has a control character"},
		{"the second absent", `{"a":"x"}`, "the event ID /b/c~1d/0 is absent"},
		{"the way to the second is a string", `{"a":"x","b":"y"}`, "the event ID /b/c~1d/0 is absent"},
		{"the way to the second goes through an array", `{"a":"x","b":{"c/d":["y"]}}`, "the event ID /b/c~1d/0 is absent"},
		{"the second under another way", `{"a":"x","c/d":{"0":"y"},"b":{"c":{"0":"y"}}}`, "the event ID /b/c~1d/0 is absent"},
		{"the second empty", `{"a":"x","b":{"c/d":{"0":""}}}`, "the event ID /b/c~1d/0 is empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := r.Read([]byte(tc.body))
			e, ok := errors.AsType[*hook.Error](err)
			if !ok || e.Code != hook.CodeMissingEventID || e.Detail != tc.want || doc.ID != "" {
				t.Errorf("got %q, %v, want %q", doc.ID, err, tc.want)
			}
		})
	}
}

func TestJoinedPartsCannotBeTakenForEachOther(t *testing.T) {
	r := newReader(t, Options{EventID: &EventID{Pointers: []string{"/a", "/b"}}})
	parts := []string{"x", "/", "x/", "/x", "%", "%2F", "%25", "x%2Fx", "/%", "%/"}
	seen := map[string]string{}
	for _, a := range parts {
		for _, b := range parts {
			doc, err := r.Read([]byte(`{"a":"` + a + `","b":"` + b + `"}`))
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := seen[doc.ID]; ok {
				t.Errorf("%s and %s are both %q", other, a+" "+b, doc.ID)
			}
			seen[doc.ID] = a + " " + b
		}
	}
	if seen["x%2F/%25"] != "x/ %" {
		t.Errorf("got %v", seen)
	}
}

func TestASinglePartIsNotEncoded(t *testing.T) {
	r := newReader(t, Options{EventID: &EventID{Pointers: []string{"/a"}}})
	if doc, err := r.Read([]byte(`{"a":"x/y%2F \u00e9\ud83d\ude00"}`)); err != nil || doc.ID != "x/y%2F é😀" {
		t.Errorf("got %q, %v", doc.ID, err)
	}
}

func TestAJoinedIDOfMoreThan255BytesBecomesItsDigest(t *testing.T) {
	r := newReader(t, Options{EventID: &EventID{Pointers: []string{"/a", "/b"}}})
	for _, n := range []int{253, 254} { // with the slash and a part of one byte: 255, 256
		a := strings.Repeat("x", n)
		want := a + "/y"
		if len(want) > hook.MaxIDLength {
			want = hook.DigestID(sha256.Sum256([]byte(want)))
		}
		if doc, err := r.Read([]byte(`{"a":"` + a + `","b":"y"}`)); err != nil || doc.ID != want || len(doc.ID) > hook.MaxIDLength {
			t.Errorf("%d: got %q, %v", n, doc.ID, err)
		}
	}
}

// JSON's own faults come before a missing ID, and that before the contract.
func TestFaultsAreFoundInOrder(t *testing.T) {
	noID := strings.Replace(example, "webhookEventId", "id", 1)
	noOutcome := strings.Replace(noID, "callOutcome", "outcome", 1)
	for _, tc := range []struct {
		name, body string
		want       hook.Code
	}{
		{"no ID, and text behind the object", noID + "x", hook.CodeInvalidJSON},
		{"no ID, and the contract is not met", noOutcome, hook.CodeMissingEventID},
		{"a null ID, and a name twice behind it", `{"webhookEventId":null,"a":1,"a":1}`, hook.CodeInvalidJSON},
	} {
		if _, err := actionMap(t).Read([]byte(tc.body)); hook.CodeOf(err) != tc.want {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestPointersThatSayNothingOrTooMuchAreRefused(t *testing.T) {
	volatile := parse(t, `{"x-hookgate":{"name":"x","version":1,"event_id":["/id"],"volatile":["/meta"]}}`)
	for _, tc := range []struct {
		name     string
		contract *Contract
		pointers []string
		want     string
	}{
		{"the whole body", nil, []string{""}, "begins with a slash"},
		{"no slash", nil, []string{"webhookEventId"}, "begins with a slash"},
		{"a URI fragment", nil, []string{"#/webhookEventId"}, "begins with a slash"},
		{"an empty name", nil, []string{"/"}, "empty name"},
		{"an empty name at the end", nil, []string{"/a/"}, "empty name"},
		{"a tilde at the end", nil, []string{"/a~"}, "~0"},
		{"an unknown escape", nil, []string{"/a~2"}, "~0"},
		{"no UTF-8", nil, []string{"/\xff"}, "UTF-8"},
		{"the same twice", nil, []string{"/a", "/b", "/a"}, "same place"},
		{"the same in two spellings", nil, []string{"/a~1~0", "/a~1~0"}, "same place"},
		{"one within another", nil, []string{"/a/b", "/a"}, "same place"},
		{"within a volatile member", volatile, []string{"/meta/id"}, "volatile"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewReader(Options{Contract: tc.contract, EventID: &EventID{Pointers: tc.pointers}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want something about %q", err, tc.want)
			}
		})
	}
}

func TestManyGoroutinesMayReadAtOnce(t *testing.T) {
	r := actionMap(t)
	bad := strings.Replace(example, `"answered"`, "null", 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				switch i % 3 {
				case 0:
					if doc, err := r.Read([]byte(example)); err != nil || doc.ID != exampleID || len(doc.Violations) != 0 {
						t.Errorf("the example: %+v, %v", doc, err)
					}
				case 1:
					if doc, err := r.Read([]byte(bad)); err != nil || doc.ID != exampleID || len(doc.Violations) != 1 {
						t.Errorf("the bad one: %+v, %v", doc, err)
					}
				case 2:
					if _, err := r.Read([]byte(example[:i])); hook.CodeOf(err) != hook.CodeInvalidJSON {
						t.Errorf("the broken one: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
}
