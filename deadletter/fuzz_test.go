package deadletter

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

// tree reads JSON with its numbers as they are written.
func tree(t *testing.T, raw []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", raw, err)
	}
	return v
}

// merge is what RFC 7396, section 2, has as code.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out, ok := target.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(out, name)
			continue
		}
		out[name] = merge(out[name], value)
	}
	return out
}

// A patch does what its RFC says, and nothing more when it comes again.
func FuzzMergePatch(f *testing.F) {
	for _, body := range []string{`{}`, `{"a":1.50,"b":{"c":null}}`, `{"a":[1,{"b":null}],"":"\u00fc"}`, `{"a":1,"a":2}`, `[]`, "{\"\xff\":1}", `{"\ud83d\ude00":12345678901234567890}`} {
		for _, patch := range []string{`{}`, `{"a":null}`, `{"a":{"b":null,"c":{"d":null}}}`, `{"":{}}`, `{"b":{"c":{"d":1}}}`, `null`, ` {"a" : "x" } `, `{"\u0061":1}`} {
			f.Add([]byte(body), []byte(patch))
		}
	}
	f.Fuzz(func(t *testing.T, body, patch []byte) {
		got, err := mergePatch(body, patch)
		if want := isObject(body) && isObject(patch); (err == nil) != want {
			t.Fatalf("%q with %q: %v", body, patch, err)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(merge(tree(t, body), tree(t, patch)), tree(t, got)); diff != "" {
			t.Fatalf("%q with %q: -RFC +got:\n%s", body, patch, diff)
		}
		if again, err := mergePatch(got, patch); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%q with %q again: %q, %v", got, patch, again, err)
		}
	})
}

// at returns the value at a pointer, read in another way than ours.
func at(v any, pointer string) (any, bool) {
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch in := v.(type) {
		case map[string]any:
			member, ok := in[token]
			if !ok {
				return nil, false
			}
			v = member
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(in) || strconv.Itoa(i) != token {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// plainly writes a value as a person does in an expression.
func plainly(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

func FuzzWhere(f *testing.F) {
	for _, s := range []string{"/a=1", "/a/0=x", "/a~1b/~0=", "/=", "/a/-1=x", "/a/01=x", "/~2=x", "a=b", "/a", "/a==", "/a/b/c=null", "/\u00fc=\n", "/~01=x"} {
		for _, body := range []string{`{"a":1,"":""}`, `{"a":["x",{"b":null}]}`, `{"a/b":{"~":""},"~1":"x"}`, `[]`, `{"a":{"b":{"c":null}}}`, `{"a":"=","ü":"\n"}`, "{", `{"a":1.0}`} {
			f.Add(s, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, s string, body []byte) {
		w, err := ParseWhere(s)
		if err != nil {
			if strings.Contains(err.Error(), s) && len(s) > 8 {
				t.Errorf("the error has the value: %v", err)
			}
			return
		}
		var same Where
		text, _ := w.MarshalText()
		if err := same.UnmarshalText(text); err != nil || !cmp.Equal(w, same, cmp.AllowUnexported(Where{})) {
			t.Fatalf("%q is another one after its way: %v", s, err)
		}
		got := w.match(body)
		if !jsontext.Value(body).IsValid() {
			return
		}
		pointer, value, _ := strings.Cut(s, "=")
		there, found := at(tree(t, body), pointer)
		written, simple := plainly(there)
		if want := found && simple && written == value; got != want {
			t.Errorf("%q of %q: got %t", s, body, got)
		}
	})
}

// What is set can be read again, and matches what it is set to.
func FuzzFilter(f *testing.F) {
	for _, field := range []string{FieldHook, FieldKind, FieldError, FieldStatus, FieldSince, FieldUntil, FieldEventID, FieldID, FieldWhere, "colour"} {
		for _, value := range []string{"", "pe-action-map", "poison", "5xx", "503", "1h", "2026-05-14", "2026-05-14 12:00", "99999999999d", "0123456789abcdef", "/a=1", "\xff"} {
			f.Add(field, value)
		}
	}
	l := letter("evt", hook.KindPoison)
	f.Fuzz(func(t *testing.T, field, value string) {
		var filter Filter
		if err := filter.Set(field, value, noon); err != nil {
			return
		}
		if filter.Empty() || filter.Check() != nil {
			t.Fatalf("%s %q: %+v", field, value, filter)
		}
		raw, err := json.Marshal(&filter)
		if err != nil {
			t.Fatalf("%s %q: %v", field, value, err)
		}
		var again Filter
		if err := json.Unmarshal(raw, &again); err != nil || again.Match(l) != filter.Match(l) {
			t.Fatalf("%s is another one after its way: %v", raw, err)
		}
		if field == FieldEventID && filter.Match(l) != (value == "evt") || field == FieldHook && filter.Match(l) != (value == l.Event.Hook) {
			t.Errorf("%s %q: %t", field, value, filter.Match(l))
		}
	})
}
