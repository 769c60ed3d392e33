package contract

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

const driftingSchema = `{
	"x-hookgate": {"name": "d", "version": 1, "event_id": ["/id"],
		"aliases": {"/id": ["/ID"], "/n": ["/N", "/o/n"], "/o/x": ["/x"], "/at": ["/sent"]},
		"numbers": ["/n", "/list/*/n"], "nulls": ["/none", "/o/x", "/a\"b"], "values": {"/kind": ["a"], "/list/*/kind": ["a"]},
		"volatile": ["/at"], "timestamp": "/at"},
	"type": "object",
	"properties": {
		"id": {"type": "string"}, "n": {"type": ["number", "null"]}, "none": {"type": "null"}, "kind": {"type": "string"}, "a\"b": true,
		"at": {"type": "string", "format": "date-time"},
		"o": {"type": "object", "properties": {"x": {"type": ["string", "null"]}, "n": true}},
		"free": {"type": "object"},
		"map": {"type": "object", "properties": {"a": true}, "additionalProperties": {"type": "number"}},
		"list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}, "kind": true}}}
	}
}`

func TestDriftIsReportedAndWhatCanBeMendedIs(t *testing.T) {
	const rest = `,"none":null,"a\"b":1`
	for _, tc := range []struct {
		name, body, drift string
		repaired          string // "" for nothing
	}{
		{"nothing", `{"id":"1"` + rest + `}`, "", ""},
		{"a member that nobody knows, twice", `{"id":"1","new":1,"other":{"new":1}` + rest + `}`, "unknown_member /*", ""},
		{"within an object that is described", `{"id":"1","o":{"x":null,"new":1}` + rest + `}`, "unknown_member /o/*", ""},
		{"within one that is not", `{"id":"1","free":{"new":1}` + rest + `}`, "", ""},
		{"within one that has any names", `{"id":"1","map":{"new":1}` + rest + `}`, "", ""},
		{"within an array", `{"id":"1","list":[{},{"new":1},{"new":2}]` + rest + `}`, "unknown_member /list/*/*", ""},
		{"a new value", `{"id":"1","kind":"b","list":[{"kind":"a"},{"kind":"c"}]` + rest + `}`, "new_value /kind, new_value /list/*/kind", ""},
		{"a value that is no text", `{"id":"1","list":[{"kind":1}]` + rest + `}`, "", ""},
		{"a number in a string", `{"id":"1","n" : "-1.50" ` + rest + `}`, "string_number /n", `{"id":"1","n" : -1.50 ` + rest + `}`},
		{"a number in escapes", `{"id":"1","n":"\u0031"` + rest + `}`, "string_number /n", `{"id":"1","n":1` + rest + `}`},
		{"numbers in an array", `{"id":"1","list":[{"n":"1"},{"n":2},{"n":"30"}]` + rest + `}`, "string_number /list/*/n", `{"id":"1","list":[{"n":1},{"n":2},{"n":30}]` + rest + `}`},
		{"another name", `{"id":"1","N":7` + rest + `}`, "renamed /n", `{"id":"1","N":7` + rest + `,"n":7}`},
		{"another name, deeper, before", `{"o":{"x":"","n":7},"id":"1"` + rest + `}`, "renamed /n", `{"o":{"x":"","n":7},"id":"1"` + rest + `,"n":7}`},
		{"a name of the way down", `{"x":"v","id":"1"` + rest + `,"o":{"n":null},"n":1}`, "both_names /n, renamed /o/x", `{"x":"v","id":"1"` + rest + `,"o":{"n":null,"x":"v"},"n":1}`},
		{"another name, and nowhere to put it", `{"x":"v","id":"1"` + rest + `}`, "", ""},
		{"another name of an object", `{"N":{"a":1},"id":"1"` + rest + `}`, "", ""},
		{"another name, and a string", `{"id":"1","N":"7"` + rest + `}`, "renamed /n, string_number /n", `{"id":"1","N":"7"` + rest + `,"n":7}`},
		{"another name of the event ID", `{"ID":"1"` + rest + `}`, "renamed /id", `{"ID":"1"` + rest + `,"id":"1"}`},
		{"both names", `{"id":"1","n":1,"N":1` + rest + `}`, "both_names /n", ""},
		{"two other names", `{"id":"1","N":1,"o":{"x":null,"n":2}` + rest + `}`, "both_names /n", ""},
		{"an absent null", "{\"id\":\"1\",\"a\\\"b\":1\n}", "absent_null /none", "{\"id\":\"1\",\"a\\\"b\":1,\"none\":null\n}"},
		{"two, one with a quote", `{"id":"1"}`, `absent_null /a"b, absent_null /none`, `{"id":"1","none":null,"a\"b":null}`},
		{"one in an empty object", `{"id":"1","o":{ }` + rest + `}`, "absent_null /o/x", `{"id":"1","o":{"x":null }` + rest + `}`},
		{"a time without a zone", `{"id":"1","at":"2024-05-14T18:32:11.5"` + rest + `}`, "no_zone /at", `{"id":"1","at":"2024-05-14T18:32:11.5Z"` + rest + `}`},
		{"the same under another name", `{"id":"1","sent":"2024-05-14T18:32:11.5"` + rest + `}`, "no_zone /at, renamed /at", `{"id":"1","sent":"2024-05-14T18:32:11.5"` + rest + `,"at":"2024-05-14T18:32:11.5Z"}`},
		{"an escaped name is a name", `{"\u0069d":"1","non\u0065":null,"a\"b":1}`, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newReader(t, Options{Contract: parse(t, driftingSchema)})
			for range 3 {
				body := []byte(tc.body)
				doc, err := r.Read(body)
				if err != nil || doc.ID != "1" || len(doc.Violations) > 0 {
					t.Fatalf("got %+v, %v", doc, err)
				}
				if got := hook.DriftHeader(doc.Drift); got != tc.drift {
					t.Errorf("drift %q, want %q", got, tc.drift)
				}
				if diff := cmp.Diff(tc.repaired, string(doc.Repaired)); diff != "" {
					t.Error(diff)
				}
				if string(body) != tc.body {
					t.Error("the body was changed")
				}
				if tc.name != "the same under another name" && strings.Contains(tc.body, `"at"`) != doc.HasTimestamp {
					t.Errorf("the timestamp is %v", doc.Timestamp)
				}
				checkRepaired(t, r, doc, body)
			}
		})
	}
}

func TestOnlyExactNumbersAreTakenOutOfStrings(t *testing.T) {
	r := newReader(t, Options{Contract: parse(t, driftingSchema)})
	for text, good := range map[string]bool{
		"0": true, "-0": true, "7": true, "0.5": true, "-12.340": true, "999999999999999": true, "1234567890.12345": true,
		"": false, " 7": false, "7 ": false, "07": false, "+7": false, ".5": false, "5.": false, "1e3": false, "0x10": false,
		"NaN": false, "-": false, "1,5": false, "1.2.3": false, "1000000000000000": false, "1234567890.123456": false, "٧": false,
	} {
		doc, err := r.Read([]byte(`{"id":"1","none":null,"a\"b":1,"n":"` + text + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(doc.Violations) == 0 && doc.Repaired != nil; got != good {
			t.Errorf("%q: %+v", text, doc)
		}
	}
}

func TestABodyWithAViolationIsNotRepaired(t *testing.T) {
	r := newReader(t, Options{Contract: parse(t, driftingSchema)})
	doc, err := r.Read([]byte(`{"id":"1","n":"7","kind":1}`))
	if err != nil || len(doc.Violations) != 1 || doc.Repaired != nil || len(doc.Drift) == 0 {
		t.Errorf("got %+v, %v", doc, err)
	}
}

func TestARepairKeepsTheBodyWithinTheLimits(t *testing.T) {
	r := newReader(t, Options{Contract: parse(t, driftingSchema)})
	for _, n := range []int{MaxMembers - 3, MaxMembers - 2, MaxMembers - 1} {
		body := `{"id":"1",` + strings.TrimPrefix(members(n), "{")
		doc, err := r.Read([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if want := min(2, MaxMembers-n-1); strings.Count(string(doc.Repaired), ":null") != want {
			t.Errorf("%d members: %d were added, want %d", n+1, strings.Count(string(doc.Repaired), ":null"), want)
		}
		checkRepaired(t, r, doc, []byte(body))
	}
}

func TestTheFingerprintIsThatOfTheBodyAsReceived(t *testing.T) {
	r := newReader(t, Options{Contract: parse(t, driftingSchema)})
	all := prints(t, r,
		`{"id":"1","n":7,"at":"2024-05-14T18:32:11Z"}`,
		`{"id":"1","n":7,"at":"2024-05-14T18:32:12"}`, // volatile
		`{"id":"1","n":"7","at":"2024-05-14T18:32:11Z"}`,
		`{"id":"1","n":7,"none":null,"at":"2024-05-14T18:32:11Z"}`,
		`{"id":"1","n":7,"sent":"2024-05-14T18:32:11Z"}`,
		`{"id":"1","n":7,"sent":"2024-05-14T18:32:13Z"}`, // volatile under another name too
	)
	if all[0] != all[1] || all[4] != all[5] {
		t.Error("what is volatile counts")
	}
	for i, other := range []int{2, 3, 4} {
		if all[other] == all[0] {
			t.Errorf("body %d has the fingerprint of the first", i)
		}
	}
}

func TestAtMost20DifferencesAreReported(t *testing.T) {
	var properties, body strings.Builder
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		properties.WriteString(`,"` + string(c) + `":{"properties":{"x":true}}`)
		body.WriteString(`,"` + string(c) + `":{"y":1,"z":2}`)
	}
	r := newReader(t, Options{Contract: parse(t, "{"+manifestX+`,"properties":{"id":true`+properties.String()+"}}")})
	doc, err := r.Read([]byte(`{"id":"1"` + body.String() + "}"))
	if err != nil || len(doc.Drift) != 20 {
		t.Errorf("got %d, %v", len(doc.Drift), err)
	}
}

func TestWhatASchemaDescribesInOtherWaysIsKnown(t *testing.T) {
	for _, tc := range []struct{ name, schema, body, want string }{
		{"nothing described", `"required":["id"]`, `{"id":"1","x":1}`, ""},
		{"by reference", `"$ref":"#/$defs/o","$defs":{"o":{"properties":{"id":true}}}`, `{"id":"1","x":1}`, "unknown_member /*"},
		{"in all of some", `"allOf":[{"properties":{"id":true}},{"properties":{"x":true}}]`, `{"id":"1","x":1,"y":1}`, "unknown_member /*"},
		{"in any of some", `"anyOf":[{"properties":{"id":true}},{"properties":{"x":true}}]`, `{"id":"1","x":1}`, ""},
		{"in a condition", `"properties":{"id":true},"if":{"required":["x"]},"then":{"properties":{"x":true}}`, `{"id":"1","x":1}`, ""},
		{"by a pattern", `"properties":{"id":true},"patternProperties":{"^x":true}`, `{"id":"1","y":1}`, ""},
		{"in itself", `"properties":{"id":true,"next":{"$ref":"#"}}`, `{"id":"1","next":{"id":"2","x":1,"next":{"x":1}}}`, ""},
		{"by place in an array", `"properties":{"id":true,"a":{"prefixItems":[{"properties":{"b":true}}]}}`, `{"id":"1","a":[{"b":1,"c":1}]}`, "unknown_member /a/*/*"},
		{"by the manifest alone", `"properties":{"x":true}`, `{"id":"1","x":1}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := newReader(t, Options{Contract: parse(t, "{"+manifestX+","+tc.schema+"}")}).Read([]byte(tc.body))
			if got := hook.DriftHeader(doc.Drift); err != nil || got != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

const kindsSchema = `{
	"x-hookgate": {"name": "k", "version": 1, "numbers": ["/at", "/o/at"], "timestamp": ["/o/at", "/at"],
		"event_id": [
			{"when": "/o", "parts": ["/o/id", "/o/at"]},
			{"when": "/type", "is": ["A", "B"], "parts": ["/id"]},
			{"when": "/type", "parts": ["/type", "/id", "/at"], "optional": ["/at"]}
		]}
}`

func TestTheFirstAlternativeThatHoldsMakesTheEventID(t *testing.T) {
	r := newReader(t, Options{Contract: parse(t, kindsSchema)})
	for _, tc := range []struct{ name, body, id, err string }{
		{"an object is there", `{"type":"A","id":"1","o":{"id":"2","at":1700000000000}}`, "2/1700000000000", ""},
		{"a number in a string is the same ID", `{"o":{"id":"2","at":"1700000000000"}}`, "2/1700000000000", ""},
		{"it is null", `{"type":"A","id":"1","o":null}`, "1", ""},
		{"the second of two values", `{"type":"B","id":"1"}`, "1", ""},
		{"another value", `{"type":"C","id":"1","at":5}`, "C/1/5", ""},
		{"what is optional is absent", `{"type":"C","id":"1"}`, "C/1/", ""},
		{"what is optional is null", `{"type":"C","id":"1","at":null}`, "C/1/", ""},
		{"what is optional is empty", `{"type":"C","id":"1","at":""}`, "C/1/", ""},
		{"the value is no text", `{"type":["A"],"id":"1"}`, "", "the event ID /type is not a string"},
		{"none holds", `{"id":"1"}`, "", "of no kind"},
		{"a part is absent", `{"o":{"id":"2"}}`, "", "/o/at is absent"},
		{"a number is no integer", `{"o":{"id":"2","at":1.5}}`, "", "/o/at is not an integer"},
		{"a number with an exponent", `{"o":{"id":"2","at":1e3}}`, "", "/o/at is not an integer"},
		{"a part that is not among the numbers", `{"type":"A","id":1}`, "", "/id is not a string"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := r.Read([]byte(tc.body))
			if doc.ID != tc.id || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %q, %v, want %q, %q", doc.ID, err, tc.id, tc.err)
			}
		})
	}
	doc, err := r.Read([]byte(`{"type":"A","id":"1","at":1700000000123}`))
	if want := time.UnixMilli(1700000000123); err != nil || !doc.HasTimestamp || !doc.Timestamp.Equal(want) {
		t.Errorf("the timestamp is %v, %v, want %v", doc.Timestamp, err, want)
	}
}
