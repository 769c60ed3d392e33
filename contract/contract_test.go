package contract

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

func TestBuiltinsAreFoundByName(t *testing.T) {
	c, err := Builtin("pe-action-map")
	if err != nil || c.ID() != "pe-action-map/1" || c.Name() != "pe-action-map" {
		t.Errorf("got %v, %v", c, err)
	}
	if _, err := Builtin("other"); err == nil || !strings.Contains(err.Error(), "pe-action-map") {
		t.Errorf("an unknown one: %v", err)
	}
	if c := None(); c.ID() != "" || c.Name() != "" {
		t.Errorf("none is %q", c.ID())
	}
}

const own = `{
  "x-hookgate": {"name": "orders", "version": 2, "event_id": ["/shop", "/order/id"], "volatile": ["/sentAt"]},
  "type": "object",
  "properties": {
    "shop": {"type": "string"},
    "order": {"type": "object", "additionalProperties": {"type": "string"}},
    "lines": {"type": "array", "items": {"type": "number"}}
  }
}`

func TestAContractOfOnesOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.json")
	if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil || c.ID() != "orders/2" {
		t.Fatal(c, err)
	}
	doc, err := newReader(t, Options{Contract: c}).Read([]byte(`{"shop":"s","order":{"id":"7","SECRETNAME":5},"lines":[1,"x"],"sentAt":1}`))
	if err != nil || doc.ID != "s/7" {
		t.Fatal(doc, err)
	}
	want := []hook.Violation{{Pointer: "/lines/1", Code: "type"}, {Pointer: "/order/*", Code: "type"}}
	if diff := cmp.Diff(want, doc.Violations); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrongWithAContractIsSaid(t *testing.T) {
	manifest := func(s string) string { return `{"x-hookgate":` + s + `}` }
	for _, tc := range []struct{ name, data, want string }{
		{"not JSON", "{", "breaks off"},
		{"no manifest", "{}", "x-hookgate"},
		{"no name", manifest(`{"version":1,"event_id":["/a"]}`), "name"},
		{"no version", manifest(`{"name":"x","event_id":["/a"]}`), "version"},
		{"no event ID", manifest(`{"name":"x","version":1}`), "event_id"},
		{"an unknown member", manifest(`{"name":"x","version":1,"event_id":["/a"],"colour":"red"}`), "colour"},
		{"a bad pointer", manifest(`{"name":"x","version":1,"event_id":["a"]}`), "JSON pointer"},
		{"a bad schema", `{"x-hookgate":{"name":"x","version":1,"event_id":["/a"]},"type":"thing"}`, "type"},
		{"a reference elsewhere", `{"x-hookgate":{"name":"x","version":1,"event_id":["/a"]},"$ref":"http://example.com/x.json"}`, "one file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("mine.json", []byte(tc.data))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "mine.json") {
				t.Errorf("got %v, want something about %q", err, tc.want)
			}
		})
	}
	if _, err := Load("/nowhere/mine.json"); err == nil || !strings.Contains(err.Error(), "/nowhere/mine.json") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestAnIDFromElsewhereIsCheckedToo(t *testing.T) {
	for _, tc := range []struct{ name, id, want string }{
		{"as it is", "a b/c", "a b/c"},
		{"of 255 bytes", strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{"empty", "", ""},
		{"with a control character", "a\tb", ""},
		{"not UTF-8", "a\xff", ""},
	} {
		if got, err := CheckID(tc.id); got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: %q %v", tc.name, got, err)
		}
	}
	if got, err := CheckID(strings.Repeat("x", 256)); err != nil || !strings.HasPrefix(got, "sha256:") {
		t.Errorf("of 256 bytes: %q %v", got, err)
	}
}
