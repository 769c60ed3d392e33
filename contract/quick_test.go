package contract

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// The schema has every keyword that the quick form knows.
const plainSchema = `{
	"x-hookgate": {"name": "plain", "version": 1, "event_id": ["/id"]},
	"title": "t", "description": "d", "type": "object", "required": ["id", "at"],
	"properties": {
		"id": {"type": "string", "minLength": 1, "description": "d"},
		"at": {"type": "string", "format": "date-time"},
		"few": {"type": ["string", "null"], "minLength": 2, "maxLength": 3},
		"count": {"type": "integer", "minimum": 0},
		"share": {"type": ["number", "null"]},
		"flag": {"type": "boolean"},
		"inner": {"type": ["object", "null"], "required": ["at"], "properties": {"at": {"type": "string"}, "few": {"type": "array", "items": {"type": "string"}}}},
		"list": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}},
		"any": {"type": "array"}
	}
}`

func TestTheBuiltInContractsAreQuick(t *testing.T) {
	for _, name := range Names() {
		c, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		if c.quick == nil {
			t.Errorf("%s is not", name)
		}
	}
}

func TestASchemaThatSaysMoreIsNotQuick(t *testing.T) {
	for _, more := range []string{
		`"additionalProperties": false`, `"minProperties": 1`, `"not": {"required": ["x"]}`,
		`"properties": {"a": {"type": "object", "minProperties": 1}}`, `"properties": {"a": {"type": "array", "items": {"enum": [1]}}}`, `"properties": {"a": {"type": "array", "uniqueItems": true}}`,
		`"properties": {"a": {"type": "object", "properties": {"b": {"pattern": "^x"}}}}`, `"properties": {"a": {"type": "string", "enum": ["x"]}}`,
		`"properties": {"a": {"type": "string", "pattern": "^x"}}`, `"properties": {"a": {"type": "string", "format": "email"}}`,
		`"properties": {"a": {"type": "number", "minimum": 1}}`, `"properties": {"a": {"type": "number", "multipleOf": 2}}`,
		`"properties": {"a": true}`, `"properties": {"a": {}}`, `"properties": {"a": {"const": 1}}`,
		`"allOf": [{"required": ["b"]}]`, `"if": {"required": ["b"]}, "then": false`, `"dependentRequired": {"a": ["b"]}`,
	} {
		c, err := Parse("test", []byte(`{"x-hookgate": {"name": "n", "version": 1, "event_id": ["/id"]}, "type": "object", `+more+`}`))
		if err != nil {
			t.Fatalf("%s: %v", more, err)
		}
		if c.quick != nil {
			t.Errorf("%s: it is", more)
		}
	}
}

func TestWhatIsQuicklyFoundGoodIsGood(t *testing.T) {
	c, err := Parse("plain", []byte(plainSchema))
	if err != nil || c.quick == nil {
		t.Fatalf("%v, %v", c, err)
	}
	value := rapid.OneOf(
		rapid.SampledFrom([]any{
			nil, true, "", "a", "ab", "äöü", "abcd", "2024-05-14T18:32:11Z", "2024-05-14 18:32:11Z",
			json.Number("0"), json.Number("-0"), json.Number("7"), json.Number("-7"), json.Number("1.0"), json.Number("1.5"),
			1e3, -1e3, 0.5,
			map[string]any{},
			map[string]any{"at": "x", "few": []any{"y"}},
			map[string]any{"at": 1.0},
			map[string]any{"at": "x", "few": []any{nil}},
			[]any{},
			[]any{map[string]any{"id": "x"}},
			[]any{map[string]any{"id": nil}},
			[]any{json.Number("1")},
		}),
		rapid.Map(rapid.String(), func(s string) any { return s }),
	)
	w := newWalk(newReader(t, Options{Contract: c}))
	good, met := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		body := map[string]any{"id": "x", "at": "2024-05-14T18:32:11Z"}
		for _, name := range []string{"id", "at", "few", "count", "share", "flag", "inner", "list", "any", "other"} {
			switch rapid.IntRange(0, 5).Draw(t, "what of "+name) {
			case 0:
				delete(body, name)
			case 1, 2:
				body[name] = value.Draw(t, name)
			}
		}
		err := c.schema.Validate(body)
		text, jsonErr := json.Marshal(body)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		if _, readErr := w.read(text); readErr != nil {
			t.Fatal(readErr)
		}
		if err == nil {
			met++
		}
		if !w.unsure {
			good++
			if err != nil {
				t.Fatalf("it seems good, and is not: %s: %v", text, err)
			}
		}
		w.release()
	})
	if good < met/2 {
		t.Errorf("%d meet the schema, and only %d are found good", met, good)
	}
}
