package contract

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

const manifestX = `"x-hookgate":{"name":"x","version":1,"event_id":["/id"]}`

func TestViolationsOfAnySchema(t *testing.T) {
	type v = hook.Violation
	const secret = "4155551234" // could be an index of an array, too
	for _, tc := range []struct {
		name, schema, body string
		want               []v
	}{
		{"met", `"required":["a"]`, `"a":1`, nil},
		{"unknown members and values pass", `"properties":{"a":{"type":"string"}}`, `"b":{"c":[1]}`, nil},
		{"members are missing, at two levels", `"required":["a","b/~"],"properties":{"o":{"required":["c"]}}`, `"o":{}`, []v{{Pointer: "/a", Code: "missing"}, {Pointer: "/b~1~0", Code: "missing"}, {Pointer: "/o/c", Code: "missing"}}},
		{"a member needs another", `"dependentRequired":{"a":["b"]}`, `"a":1`, []v{{Pointer: "/b", Code: "missing"}}},
		{"wrong types", `"properties":{"a":{"type":"string"},"b":{"type":["object","null"]}}`, `"a":1,"b":[]`, []v{{Pointer: "/a", Code: "type"}, {Pointer: "/b", Code: "type"}}},
		{"an integer in any form", `"properties":{"a":{"items":{"type":"integer"}}}`, `"a":[1,1.0,1e2,-0,1.5,1e-2]`, []v{{Pointer: "/a/4", Code: "type"}, {Pointer: "/a/5", Code: "type"}}},
		{"numbers out of bounds", `"properties":{"a":{"maximum":5},"b":{"exclusiveMinimum":0},"c":{"multipleOf":0.1}}`, `"a":5.01,"b":0,"c":0.15`, []v{{Pointer: "/a", Code: "maximum"}, {Pointer: "/b", Code: "exclusiveMinimum"}, {Pointer: "/c", Code: "multipleOf"}}},
		{"a number with an exponent out of bounds", `"properties":{"a":{"maximum":5},"b":{"minimum":1}}`, `"a":1e300,"b":1e-999999999`, []v{{Pointer: "/a", Code: "maximum"}, {Pointer: "/b", Code: "minimum"}}},
		{"strings out of bounds", `"properties":{"a":{"maxLength":2},"b":{"pattern":"^x"},"c":{"enum":["x"]},"d":{"const":"x"}}`, `"a":"abc","b":"y","c":"y","d":"y"`, []v{{Pointer: "/a", Code: "maxLength"}, {Pointer: "/b", Code: "pattern"}, {Pointer: "/c", Code: "enum"}, {Pointer: "/d", Code: "const"}}},
		{"a string is measured in characters", `"properties":{"a":{"maxLength":2}}`, `"a":"é😀"`, nil},
		{"formats", `"properties":{"a":{"format":"email"},"b":{"format":"date-time"},"c":{"format":"uuid"},"d":{"format":"date-time"}}`, `"a":"x","b":"x","c":"x","d":1`, []v{{Pointer: "/a", Code: "format"}, {Pointer: "/b", Code: "format"}, {Pointer: "/c", Code: "format"}}},
		{"leaves only, each once", `"properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"},{"minimum":5}]}}`, `"a":1`, []v{{Pointer: "/a", Code: "minimum"}, {Pointer: "/a", Code: "type"}}},
		{"two of oneOf", `"properties":{"a":{"oneOf":[{"type":"string"},{"maxLength":5}]}}`, `"a":"x"`, []v{{Pointer: "/a", Code: "oneOf"}}},
		{"not", `"properties":{"a":{"not":{"type":"string"}}}`, `"a":"x"`, []v{{Pointer: "/a", Code: "not"}}},
		{"if and then", `"if":{"properties":{"a":{"const":1}}},"then":{"required":["b"]}`, `"a":1`, []v{{Pointer: "/b", Code: "missing"}}},
		{"a reference within", `"$defs":{"s":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/s"}}`, `"a":1`, []v{{Pointer: "/a", Code: "type"}}},
		{"a schema that is false", `"properties":{"a":false}`, `"a":1`, []v{{Pointer: "/a", Code: "invalid"}}},
		{"elements", `"properties":{"a":{"uniqueItems":true},"b":{"maxItems":1},"c":{"contains":{"type":"string"}}}`, `"a":[1,1.0],"b":[1,2],"c":[1]`, []v{{Pointer: "/a", Code: "uniqueItems"}, {Pointer: "/b", Code: "maxItems"}, {Pointer: "/c/0", Code: "type"}}},
		{"no element to contain", `"properties":{"c":{"contains":{"type":"string"}}}`, `"c":[]`, []v{{Pointer: "/c", Code: "contains"}}},
		{"the whole body", `"maxProperties":1`, `"a":1`, []v{{Pointer: "", Code: "maxProperties"}}},
		{"members that may not be", `"properties":{"id":true},"additionalProperties":false`, `"` + secret + `":1`, []v{{Pointer: "", Code: "additionalProperties"}}},
		{"members that nobody evaluated", `"properties":{"id":true},"unevaluatedProperties":false`, `"` + secret + `":1`, []v{{Pointer: "/*", Code: "unevaluatedProperties"}}},
		{"a name of the sender's", `"additionalProperties":{"type":"string"}`, `"` + secret + `":1`, []v{{Pointer: "/*", Code: "type"}}},
		{"a name of the sender's on the way", `"properties":{"o":{"additionalProperties":{"required":["c"],"items":{"type":"string"}}}}`, `"o":{"` + secret + `":{},"b":[1]}`, []v{{Pointer: "/o/*/0", Code: "type"}, {Pointer: "/o/*/c", Code: "missing"}}},
		{"a name by a pattern", `"patternProperties":{"^4":{"type":"string"}}`, `"` + secret + `":1`, []v{{Pointer: "/*", Code: "type"}}},
		{"a name of the schema's in another place", `"properties":{"a":true,"o":{"additionalProperties":{"type":"string"}}}`, `"o":{"a":1}`, []v{{Pointer: "/o/a", Code: "type"}}},
		{"a bad name", `"properties":{"o":{"propertyNames":{"maxLength":3}}}`, `"o":{"` + secret + `":1}`, []v{{Pointer: "", Code: "propertyNames"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newReader(t, Options{Contract: parse(t, "{"+manifestX+","+tc.schema+"}")})
			for range 3 { // maps have no order
				doc, err := r.Read([]byte(`{"id":"1",` + tc.body + "}"))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, doc.Violations); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}

func TestAtMost20ViolationsAreReportedTheFirstByPointer(t *testing.T) {
	r := newReader(t, Options{Contract: parse(t, "{"+manifestX+`,"properties":{"a":{"items":{"type":"string"}}}}`)})
	doc, err := r.Read([]byte(`{"id":"1","a":[1` + strings.Repeat(",1", 99) + "]}"))
	if err != nil || len(doc.Violations) != 20 {
		t.Fatalf("got %d, %v", len(doc.Violations), err)
	}
	if first, last := doc.Violations[0].Pointer, doc.Violations[19].Pointer; first != "/a/0" || last != "/a/26" {
		t.Errorf("got %s to %s", first, last)
	}
}

// What Genesys may leave out or send as null is no violation, and what a later
// version adds is none either.
func TestPEActionMapSaysWhatMayBeMissing(t *testing.T) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(example), &fields); err != nil {
		t.Fatal(err)
	}
	optional := []string{"agentId", "agentName", "dispositionCode", "dispositionLabel", "callDurationSeconds"}
	read := func(change func(map[string]any)) []hook.Violation {
		t.Helper()
		changed := map[string]any{}
		for name, value := range fields {
			changed[name] = value
		}
		change(changed)
		body, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := actionMap(t).Read(body)
		if err != nil {
			t.Fatal(err)
		}
		return doc.Violations
	}
	for name := range fields {
		if name == "webhookEventId" {
			continue // without it there is no event
		}
		var absent, null []hook.Violation
		if !slices.Contains(optional, name) {
			absent = []hook.Violation{{Pointer: "/" + name, Code: "missing"}}
			null = []hook.Violation{{Pointer: "/" + name, Code: "type"}}
		}
		if diff := cmp.Diff(absent, read(func(m map[string]any) { delete(m, name) })); diff != "" {
			t.Errorf("%s is absent: %s", name, diff)
		}
		if diff := cmp.Diff(null, read(func(m map[string]any) { m[name] = nil })); diff != "" {
			t.Errorf("%s is null: %s", name, diff)
		}
		wrong := []hook.Violation{{Pointer: "/" + name, Code: "type"}}
		if diff := cmp.Diff(wrong, read(func(m map[string]any) { m[name] = []any{"x"} })); diff != "" {
			t.Errorf("%s is an array: %s", name, diff)
		}
	}
	if v := read(func(m map[string]any) { m["newField"] = map[string]any{"a": 1} }); v != nil {
		t.Errorf("a new field: %v", v)
	}
}

func TestTheBuiltInContractsAreWhatTheirFilesAreCalled(t *testing.T) {
	files, err := filepath.Glob("schemas/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		c, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(c.ID(), "/", ".v", 1) + ".schema.json"
		if filepath.Base(file) != want {
			t.Errorf("%s holds %s", file, c.ID())
		}
		if !slices.Contains(Names(), c.Name()) {
			t.Errorf("%s is not among %v", c.Name(), Names())
		}
		if latest, err := Builtin(c.Name()); err != nil || latest.manifest.Version < c.manifest.Version {
			t.Errorf("the latest %s is %v, %v", c.Name(), latest, err)
		}
	}
}

func TestEachFaultOfAContractIsNamed(t *testing.T) {
	manifest := func(s string) string { return `{"x-hookgate":` + s + `}` }
	with := func(s string) string { return manifest(`{"name":"x","version":1,"event_id":["/id"],` + s + `}`) }
	schema := func(s string) string { return "{" + manifestX + "," + s + "}" }
	for _, tc := range []struct{ name, data, want string }{
		{"an empty file", "", "the file breaks off"},
		{"a file that breaks off", `{"a":`, "the file breaks off"},
		{"a byte order mark", "\ufeff{}", "invalid character"},
		{"no UTF-8", "{\"title\":\"\xff\"}", "UTF-8"},
		{"a name twice", `{"title":"a","title":"b"}`, `duplicate object member name "title"`},
		{"a name twice, deep inside", schema(`"properties":{"a":{"type":"string","type":"null"}}`), `duplicate object member name "type"`},
		{"text behind the schema", schema(`"type":"object"`) + "x", "invalid character"},
		{"an array", "[]", "is a JSON object"},
		{"true", "true", "is a JSON object"},
		{"no manifest", `{"type":"object"}`, "the manifest is missing"},
		{"a manifest in another case", `{"X-Hookgate":{}}`, "the manifest is missing"},
		{"a manifest that is null", manifest("null"), "x-hookgate is not an object"},
		{"a manifest that is an array", manifest("[]"), "x-hookgate is not an object"},
		{"no name", manifest(`{"version":1,"event_id":["/id"]}`), "name is missing"},
		{"a name that is none", manifest(`{"name":"My Orders","version":1,"event_id":["/id"]}`), `"My Orders" cannot name a contract`},
		{"a name that is a number", manifest(`{"name":1}`), "/name has the wrong type"},
		{"no version", manifest(`{"name":"x","event_id":["/id"]}`), "version is missing"},
		{"version 0", manifest(`{"name":"x","version":0,"event_id":["/id"]}`), "version is missing, or not a number from 1"},
		{"half a version", manifest(`{"name":"x","version":1.5,"event_id":["/id"]}`), "/version has the wrong type"},
		{"a version in a string", manifest(`{"name":"x","version":"1","event_id":["/id"]}`), "/version has the wrong type"},
		{"no event ID", manifest(`{"name":"x","version":1,"event_id":[]}`), "event_id is missing"},
		{"an event ID that is no list", manifest(`{"name":"x","version":1,"event_id":"/id"}`), "/event_id has the wrong type"},
		{"a bad event ID", manifest(`{"name":"x","version":1,"event_id":["id"]}`), `event_id: "id" is not a JSON pointer`},
		{"an event ID twice", manifest(`{"name":"x","version":1,"event_id":["/id","/id"]}`), "event_id: /id and /id are the same place"},
		{"an unknown member", with(`"colour":"red"`), `unknown member "colour"`},
		{"a member in another case", with(`"Volatile":[]`), `unknown member "Volatile"`},
		{"a bad volatile member", with(`"volatile":["/a/"]`), `volatile: "/a/" is not a JSON pointer`},
		{"a volatile member within another", with(`"volatile":["/a","/a/b"]`), "volatile: /a and /a/b are the same place, or one holds the other"},
		{"a volatile event ID", with(`"volatile":["/id"]`), "the event ID /id cannot be volatile"},
		{"an event ID in a volatile member", manifest(`{"name":"x","version":1,"event_id":["/m/id"],"volatile":["/m"]}`), "the event ID /m/id cannot be volatile"},
		{"a bad timestamp", with(`"timestamp":"at"`), `timestamp: "at" is not a JSON pointer`},
		{"an empty timestamp", with(`"timestamp":""`), `timestamp: "" is not a JSON pointer`},
		{"a timestamp of two", with(`"timestamp":["/at","at"]`), `timestamp: "at" is not a JSON pointer`},
		{"a timestamp that is a number", with(`"timestamp":1`), "/timestamp has the wrong type"},
		{"an alias of nothing", with(`"aliases":{"a":["/b"]}`), `aliases: "a" is not a JSON pointer`},
		{"an alias that is none", with(`"aliases":{"/a":[]}`), "aliases: /a has none"},
		{"an alias that is no list", with(`"aliases":{"/a":"/b"}`), "/aliases/~1a has the wrong type"},
		{"a bad alias", with(`"aliases":{"/a":["b"]}`), `aliases: of /a: "b" is not a JSON pointer`},
		{"an alias of itself", with(`"aliases":{"/a":["/a"]}`), "aliases: /a and /a are the same place"},
		{"an alias of two", with(`"aliases":{"/a":["/c"],"/b":["/c/d"]}`), "aliases: /c and /c/d are the same place, or one holds the other"},
		{"a volatile alias", with(`"aliases":{"/a":["/b"]},"volatile":["/b"]`), "aliases: /b is volatile already, as /b: say so of /a"},
		{"an alias that is a number", with(`"aliases":{"/a":["/b"]},"numbers":["/b"]`), "aliases: /b is another name of /a"},
		{"a bad number", with(`"numbers":["n"]`), `numbers: "n" is not a JSON pointer`},
		{"a number that the schema has as a text", with(`"numbers":["/n"]},"properties":{"n":{"type":"string"}`), "numbers: the schema does not let /n be a number"},
		{"a number in an array that the schema has as a text", with(`"numbers":["/a/*"]},"properties":{"a":{"items":{"type":"string"}}`), "numbers: the schema does not let /a/* be a number"},
		{"a null twice", with(`"nulls":["/n","/n"]`), "nulls: /n and /n are the same place"},
		{"a null that the schema does not take", with(`"nulls":["/n"]},"properties":{"n":{"type":["number","string"]}`), "nulls: the schema does not let /n be null"},
		{"a value of nothing", with(`"values":{"/a":[]}`), "values: /a has none"},
		{"a bad place of values", with(`"values":{"a":["x"]}`), `values: "a" is not a JSON pointer`},
		{"a value that is a number", with(`"values":{"/a":[1]}`), "/values/~1a/0 has the wrong type"},
		{"an alternative that is a text", manifest(`{"name":"x","version":1,"event_id":[{"parts":["/id"],"when":"/a"},"/id"]}`), "event_id, alternative 2: it is not an object"},
		{"an alternative without parts", manifest(`{"name":"x","version":1,"event_id":[{"when":"/a"}]}`), "event_id, alternative 1: parts is missing"},
		{"an alternative with an unknown member", manifest(`{"name":"x","version":1,"event_id":[{"part":["/a"]}]}`), `event_id, alternative 1: unknown member "part"`},
		{"a bad part", manifest(`{"name":"x","version":1,"event_id":[{"parts":["a"]}]}`), `event_id, alternative 1: parts: "a" is not a JSON pointer`},
		{"a bad when", manifest(`{"name":"x","version":1,"event_id":[{"when":"a","parts":["/a"]}]}`), `event_id, alternative 1: when: "a" is not a JSON pointer`},
		{"is without when", manifest(`{"name":"x","version":1,"event_id":[{"is":["a"],"parts":["/a"]}]}`), "event_id, alternative 1: is needs a when"},
		{"an empty is", manifest(`{"name":"x","version":1,"event_id":[{"when":"/t","is":[],"parts":["/a"]}]}`), "event_id, alternative 1: is has no value"},
		{"an optional that is no part", manifest(`{"name":"x","version":1,"event_id":[{"parts":["/a"],"optional":["/b"]}]}`), `event_id, alternative 1: optional: "/b" is not among the parts`},
		{"all is optional", manifest(`{"name":"x","version":1,"event_id":[{"parts":["/a"],"optional":["/a"]}]}`), "event_id, alternative 1: optional: one of the parts must be there"},
		{"an alternative that is never asked", manifest(`{"name":"x","version":1,"event_id":[{"parts":["/a"]},{"parts":["/b"]}]}`), "event_id, alternative 1 has no when"},
		{"a volatile part", manifest(`{"name":"x","version":1,"event_id":[{"when":"/b","parts":["/a"]},{"parts":["/b"]}],"volatile":["/b"]}`), "the event ID /b cannot be volatile"},
		{"an unknown type", schema(`"properties":{"a":{"type":"text"}}`), "not a JSON Schema: at '/properties/a/type': value must be one of 'array'"},
		{"a bad keyword", schema(`"required":"a"`), "not a JSON Schema: at '/required'"},
		{"a bad pattern", schema(`"pattern":"("`), "'/pattern'"},
		{"a reference to nowhere", schema(`"$ref":"#/$defs/nothing"`), "nothing"},
		{"a reference to another file", schema(`"$ref":"other.json"`), "refers to no other"},
		{"a reference to a file of the system", schema(`"$ref":"file:///etc/hostname"`), "refers to no other"},
		{"a reference to the web", schema(`"$ref":"https://example.com/x.json"`), "refers to no other"},
		{"an unknown draft", schema(`"$schema":"https://example.com/draft"`), "refers to no other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mine.json")
			if err := os.WriteFile(path, []byte(tc.data), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := Load(path)
			if err == nil || c != nil {
				t.Fatalf("it was taken: %v", c)
			}
			text := err.Error()
			if !strings.Contains(text, tc.want) || !strings.HasPrefix(text, "contract "+path+": ") || strings.Contains(text, "\n") {
				t.Errorf("got %q, want something about %q", text, tc.want)
			}
		})
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a folder: %v", err)
	}
}

func TestASchemaMayHaveItsOwnAddressAndAnOlderDraft(t *testing.T) {
	for _, head := range []string{`"$id":"https://example.com/orders.json",`, `"$schema":"http://json-schema.org/draft-07/schema#",`, ""} {
		r := newReader(t, Options{Contract: parse(t, "{"+head+manifestX+`,"definitions":{"s":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/s"}}}`)})
		doc, err := r.Read([]byte(`{"id":"1","a":1}`))
		if diff := cmp.Diff([]hook.Violation{{Pointer: "/a", Code: "type"}}, doc.Violations); diff != "" || err != nil {
			t.Errorf("%s: %v %s", head, err, diff)
		}
	}
}
