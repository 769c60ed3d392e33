package contract

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

// plain turns the numbers of a tree into float64, as encoding/json has them.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, value := range v {
			m[name] = plain(value)
		}
		return m
	case []any:
		a := make([]any, len(v))
		for i := range v {
			a[i] = plain(v[i])
		}
		return a
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return math.NaN() // equals nothing
		}
		return f
	}
	return v
}

// What is accepted, encoding/json accepts and reads as the same tree, and a
// reader with a schema accepts exactly what one without does.
func FuzzReadersAgree(f *testing.F) {
	for _, seed := range []string{
		example,
		`{"id":"x","o":{"id":"y/%"},"at":"2024-05-14T18:32:11Z"}`,
		`{"id":"\u0061","o":{"i\u0064":"\ud83d\ude00"},"at":[1,2]}`,
		`{"ID":"x","id":"y","o":{"id":"z"},"Id":"w"}`,
		`{"id":"x","o":{"id":"z"},"n":[0,-0,1.5,1e2,1e-999,1e999,0.1E+3]}`,
		`{"id":"x","o":[{"id":"z"}],"at":null}`,
		`{"id":"x","o":{"id":"z","n":"7"},"at":"2024-05-14T18:32:11","n":["1","02","1.50"],"m":"-3.5"}`,
		`{"id":"x","o":{"id":"z" } , "M":"12" }`,
		`{"id":"x","o":{"id":"z","M":"1"},"M":2}`,
		`{"o":{"id":"z","\u004d":"1234567890123456"},"id":"x","none":[]}`,
		`{"id":"x","o":{"id":"z","id":"z"}}`,
		"{\"id\":\"\u0085\",\"o\":{\"id\":\"\x7f\"}}",
		`{"id":"` + strings.Repeat("x", 250) + `","o":{"id":"/////"}}`,
		`{"":{"":{"":[]}},"~":1,"/":2}` + "\n",
		nested(33),
		members(1001),
	} {
		f.Add([]byte(seed))
	}
	const schema = `{"x-hookgate":{"name":"x","version":1,"event_id":["/id","/o/id"],"timestamp":"/at",
		"aliases":{"/m":["/M","/o/M"],"/o/n":["/none"]},"numbers":["/m","/n/*","/o/n"],"nulls":["/m"],"values":{"/id":["x"]}},
		"properties":{"id":{"maxLength":3},"o":{"additionalProperties":{"type":"string"}},"n":{"items":{"type":"integer","minimum":1}},"at":{"format":"date-time"},"m":{"maximum":1e300}}}`
	with := newReader(f, Options{Contract: parse(f, schema)})
	without := newReader(f, Options{EventID: &EventID{Pointers: []string{"/id", "/o/id"}}})
	declared := map[string]bool{"id": true, "o": true, "n": true, "at": true, "m": true, "M": true, "none": true, "*": true}

	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := with.Read(body)
		other, otherErr := without.Read(body)
		if hook.CodeOf(err) != hook.CodeOf(otherErr) || (err == nil) != (otherErr == nil) || doc.ID != other.ID || doc.Fingerprint != other.Fingerprint {
			t.Fatalf("with a schema %+v, %v; without %+v, %v", doc, err, other, otherErr)
		}
		if err != nil {
			e, ok := errors.AsType[*hook.Error](err)
			if !ok || e.Detail == "" || e.Err != nil || e.Error() != otherErr.Error() {
				t.Fatalf("the errors are %v and %v", err, otherErr)
			}
			if e.Code == hook.CodeInvalidJSON {
				return
			}
		} else if n := len(doc.ID); n == 0 || n > hook.MaxIDLength || !utf8.ValidString(doc.ID) {
			t.Errorf("the ID %q", doc.ID)
		}
		check := func(pointer string) {
			t.Helper()
			for _, name := range strings.Split(pointer, "/")[1:] {
				if _, err := strconv.Atoi(name); err != nil && !declared[name] {
					t.Errorf("the place %s", pointer)
				}
			}
		}
		for _, v := range doc.Violations {
			check(v.Pointer)
		}
		for _, d := range doc.Drift {
			check(d.Pointer)
		}
		if doc.Repaired != nil {
			again, err := with.Read(doc.Repaired)
			if err != nil || again.ID != doc.ID || again.Repaired != nil || len(again.Violations) > 0 || !again.Timestamp.Equal(doc.Timestamp) {
				t.Fatalf("%s is repaired as %s, which is read as %+v, %v", body, doc.Repaired, again, err)
			}
		}

		w := newWalk(with)
		root, err := w.read(body)
		if err != nil {
			t.Fatalf("a second reading: %v", err)
		}
		if repaired := w.repaired(); repaired != nil {
			body = repaired
		}
		var tree any
		if err := json.Unmarshal(body, &tree); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if diff := cmp.Diff(tree, plain(root)); diff != "" {
			t.Errorf("encoding/json reads it in another way: %s", diff)
		}
	})
}
