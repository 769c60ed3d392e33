package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// The schema has a quick form, and a manifest that mends all that can be.
const mendingSchema = `{
	"x-hookgate": {"name": "m", "version": 1,
		"event_id": [{"when": "/kind", "is": ["a"], "parts": ["/id"]}, {"parts": ["/id", "/o/id", "/n"], "optional": ["/o/id", "/n"]}],
		"aliases": {"/id": ["/ID"], "/n": ["/N", "/o/n"], "/o/x": ["/x"], "/at": ["/sent"]},
		"numbers": ["/n", "/list/*/n", "/millis"], "nulls": ["/none", "/o/x", "/a\"b", "/must"], "values": {"/kind": ["a"], "/list/*/kind": ["a"]},
		"volatile": ["/at"], "timestamp": ["/at", "/millis"]},
	"type": "object", "required": ["id", "must", "at"],
	"properties": {
		"id": {"type": "string", "minLength": 1}, "n": {"type": ["integer", "null"], "minimum": 0}, "none": {"type": "null"}, "must": {"type": ["string", "null"], "maxLength": 3},
		"kind": {"type": "string"}, "a\"b": {"type": ["boolean", "null"]}, "at": {"type": "string", "format": "date-time"}, "millis": {"type": "number"},
		"o": {"type": ["object", "null"], "required": ["id"], "properties": {"id": {"type": "string"}, "x": {"type": ["string", "null"]}, "n": {"type": "number"}}},
		"free": {"type": "object"},
		"list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}, "kind": {"type": "string"}}}}
	}
}`

// readers is a reader as it is, and one that makes a tree of each body and asks
// the schema about each.
type readers struct{ quick, thorough *Reader }

func newReaders(t testing.TB, c *Contract) readers {
	t.Helper()
	if c.quick == nil {
		t.Fatalf("%s has no quick form", c.ID())
	}
	thorough := *c
	thorough.quick = nil
	return readers{newReader(t, Options{Contract: c}), newReader(t, Options{Contract: &thorough})}
}

// agree reads a body with both, and reports whether it needed a tree.
func (r readers) agree(t interface{ Fatalf(string, ...any) }, body []byte) (Document, bool) {
	before := string(body)
	want, wantErr := r.thorough.Read(body)
	got, err := r.quick.Read(body)
	if diff := cmp.Diff(want, got); diff != "" || fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%q: with a tree %v, without %v: %s", body, wantErr, err, diff)
	}
	if string(body) != before {
		t.Fatalf("%q was changed", before)
	}
	if got.Repaired != nil {
		if again, err := r.quick.Read(got.Repaired); err != nil || again.ID != got.ID || len(again.Violations) > 0 {
			t.Fatalf("%q is repaired as %q, which is read as %+v, %v", body, got.Repaired, again, err)
		}
	}
	w := newWalk(r.quick)
	_, _ = w.read(body)
	return got, w.builds
}

func allReaders(t testing.TB) []readers {
	t.Helper()
	all := []readers{newReaders(t, parse(t, mendingSchema)), newReaders(t, parse(t, plainSchema))}
	for _, name := range Names() {
		c, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, newReaders(t, c))
	}
	return all
}

func TestABodyIsReadAloneAsWithATree(t *testing.T) {
	r := newReaders(t, parse(t, mendingSchema))
	const rest = `"id":"1","at":"2024-05-14T18:32:11Z","must":null`
	for _, tc := range []struct {
		name, body string
		tree       bool
	}{
		{"nothing to mend", `{` + rest + `,"none":null,"a\"b":true,"n":7}`, false},
		{"absent nulls", `{` + rest + `}`, false},
		{"an absent null that must be there", `{"id":"1","at":"2024-05-14T18:32:11Z"}`, false},
		{"another name of what must be there", `{"ID":"1","sent":"2024-05-14T18:32:11","must":""}`, false},
		{"another name, and a value that the schema refuses", `{` + rest + `,"N":-7}`, true},
		{"another name, and a number in a string", `{` + rest + `,"N":"7"}`, false},
		{"another name, and a string that is none", `{` + rest + `,"N":"seven"}`, true},
		{"another name of an object that is absent", `{` + rest + `,"x":"v"}`, false},
		{"into an object that lacks another member", `{` + rest + `,"x":"v","o":{}}`, true},
		{"a number in a string", `{` + rest + `,"n":"7"}`, false},
		{"a time without a zone, in escapes", `{"id":"1","at":"2024-05-14T18:32:1\u0031","must":null}`, false},
		{"an unknown member", `{` + rest + `,"new":{"at":[1e3]}}`, false},
		{"a number with an exponent", `{` + rest + `,"millis":1e3}`, false},
		{"an integer with an exponent", `{` + rest + `,"n":1e3}`, true},
		{"a text too long", `{"id":"1","at":"2024-05-14T18:32:11Z","must":"äöüß"}`, true},
		{"a text just as long as it may be", `{"id":"1","at":"2024-05-14T18:32:11Z","must":"äöü"}`, false},
		{"an object for a text", `{"id":"1","at":"2024-05-14T18:32:11Z","must":{}}`, true},
		{"a violation in an array", `{` + rest + `,"list":[{"n":1},{"n":"x"}]}`, true},
		{"an event ID that is absent", `{"at":"2024-05-14T18:32:11Z"}`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, tree := r.agree(t, []byte(tc.body)); tree != tc.tree {
				t.Errorf("it is read with a tree: %v", tree)
			}
		})
	}
}

func TestBothWaysHaveTheSameLimits(t *testing.T) {
	values := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }
	for _, r := range allReaders(t) {
		for _, body := range []string{
			nested(32), nested(33), members(999), members(1000), members(1001),
			`{"a":` + values(1000) + `}`, `{"a":` + values(1001) + `}`,
			`{"a":[` + strings.Repeat(values(998)+",", 9) + values(997) + `],"b":[]}`,
			`{"a":` + strings.Repeat("1", 64) + `}`, `{"a":` + strings.Repeat("1", 65) + `}`, `{"n":1e999}`,
			`{"id":"` + strings.Repeat("i", 255) + `"}`, `{"id":"` + strings.Repeat("i", 256) + `"}`,
		} {
			r.agree(t, []byte(body))
			more := `{"id":"1","at":"2024-05-14T18:32:11Z","must":"",`
			for n := range 12 { // what is put in counts too
				r.agree(t, []byte(strings.Replace(body, "{", more, 1)))
				more += fmt.Sprintf(`"new %d":1,`, n)
			}
		}
	}
}

func TestBodiesAreReadAloneAsWithATree(t *testing.T) {
	r := newReaders(t, parse(t, mendingSchema))
	var alone, mended, broken int
	rapid.Check(t, func(t *rapid.T) {
		doc, tree := r.agree(t, []byte(drawBody(t)))
		switch {
		case doc.Fingerprint == (hook.Fingerprint{}):
			broken++
		case !tree:
			alone++
		}
		if doc.Repaired != nil {
			mended++
		}
	})
	if alone == 0 || mended == 0 || broken == 0 {
		t.Errorf("%d were read without a tree, %d mended, %d refused", alone, mended, broken)
	}
}

// drawBody writes a body as text, so that it may be one that no encoder writes.
func drawBody(t *rapid.T) string {
	body := drawObject(t, 0)
	switch rapid.IntRange(0, 30).Draw(t, "fault") {
	case 0:
		return body[:rapid.IntRange(0, len(body)).Draw(t, "cut at")]
	case 1:
		at := rapid.IntRange(0, len(body)).Draw(t, "at")
		return body[:at] + rapid.SampledFrom([]string{"\xff", "\x00", `\`, `"`, ",", "]", "{", "\ufeff"}).Draw(t, "byte") + body[at:]
	}
	return body
}

func drawObject(t *rapid.T, depth int) string {
	var list []string
	if depth == 0 {
		for _, member := range []string{`"id":"1"`, `"at":"2024-05-14T18:32:11Z"`, `"must":"m"`} {
			if rapid.IntRange(0, 9).Draw(t, "is there") > 0 {
				list = append(list, member)
			}
		}
	}
	names := rapid.SampledFrom([]string{
		`"ID"`, `"n"`, `"N"`, `"none"`, `"kind"`, `"a\"b"`, `"a\u0022b"`, `"sent"`, `"millis"`, `"o"`, `"x"`, `"free"`, `"list"`, `"new"`, `"\u006e"`, `"\ud83d\ude00"`, `"ü"`, `""`, `"id"`, `"at"`,
	})
	used := map[string]bool{}
	for _, member := range list {
		used[member[:strings.Index(member, ":")]] = true
	}
	for range rapid.IntRange(0, 8).Draw(t, "members") {
		name := names.Draw(t, "name")
		if used[name] && rapid.IntRange(0, 20).Draw(t, "twice") > 0 {
			continue
		}
		used[name] = true
		list = append(list, name+rapid.SampledFrom([]string{":", " :\n", ":\t"}).Draw(t, "colon")+drawValue(t, name, depth))
	}
	return "{" + strings.Join(rapid.Permutation(list).Draw(t, "order"), rapid.SampledFrom([]string{",", " , "}).Draw(t, "comma")) + rapid.SampledFrom([]string{"}", " }"}).Draw(t, "end")
}

// drawValue draws one that often is what its name is for.
func drawValue(t *rapid.T, name string, depth int) string {
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	switch {
	case kind > 1 && depth < 3 && (name == `"o"` || name == `"free"`):
		return drawObject(t, depth+1)
	case kind > 1 && depth < 3 && name == `"list"`:
		return "[" + strings.Join(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return drawObject(t, depth+1) }), 0, 3).Draw(t, "list"), ",") + "]"
	case kind > 1 && (name == `"at"` || name == `"sent"`):
		return rapid.SampledFrom([]string{
			`"2024-05-14T18:32:11Z"`, `"2024-05-14t18:32:11.5z"`, `"2024-05-14T18:32:11"`, `"2024-05-14T18:32:1\u0031"`, `"2016-12-31T23:59:60Z"`, `"2024-05-14"`, `"2024-05-14T18:32:11+02:00"`, `""`,
		}).Draw(t, "time")
	case kind > 1 && (strings.EqualFold(name, `"n"`) || name == `"millis"` || name == `"\u006e"`):
		return rapid.SampledFrom([]string{`7`, `-7`, `-0`, `1.0`, `1.5`, `1e3`, `1E-3`, `1e999`, `"7"`, `"-1.50"`, `"\u0037"`, `"07"`, `"1e3"`, `1700000000000`, `"1700000000000"`, `99999999999999999999`}).Draw(t, "number")
	}
	return rapid.SampledFrom([]string{`null`, `true`, `false`, `0`, `"a"`, `"b"`, `"\u0061"`, `"äöü"`, `"a\\/%\/"`, `"\u0000"`, `"long enough"`, `""`, `[]`, `{}`, `[1,[2]]`, `{"n":"1"}`, `"\ud800"`}).Draw(t, "value")
}

// Without a tree, and with one that the schema is asked about, the same is read.
func FuzzTheTreeSaysTheSame(f *testing.F) {
	for _, seed := range []string{
		example, `{}`, nested(33), members(1001), withID("null"), strings.Replace(example, `142`, `"142"`, 1), strings.Replace(example, `"agentId"`, `"agent"`, 1),
		strings.Replace(example, "callDurationSeconds", "call.durationSeconds", 1), strings.Replace(example, ".450Z", "", 1), strings.Replace(example, "Sarah", `S\u0061rah`, 1),
		`{"ID":"1","sent":"2024-05-14T18:32:11","N":"7","x":"v","o":{},"list":[{"n":"1","kind":"b"}],"a\u0022b":1}`,
		`{"id":"x/%","kind":"b","at":"2024-05-14T18:32:11Z","must":"äöü","o":{"id":"\u0061","new":1},"n":1e3,"millis":"1700000000000"}`,
	} {
		f.Add([]byte(seed))
	}
	all := allReaders(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, r := range all {
			r.agree(t, body)
		}
	})
}
