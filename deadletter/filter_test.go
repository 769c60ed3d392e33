package deadletter

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

func TestAFilterMeansALetterThatMeetsAllOfIt(t *testing.T) {
	l := letter("evt", hook.KindInvalid, func(l *hook.DeadLetter) {
		l.Fault.Message, l.Fault.Status = "The downstream said No", 503
		l.Fault.Violations = []hook.Violation{{Pointer: "/callOutcome", Code: "missing"}}
		l.Event.Body = []byte(`{"a/b":{"~":["x",{"n":1.50}]},"t":true,"z":null,"e":"","u":"\u00fc\n","a":"first"}`)
	})
	for _, tc := range []struct {
		name, field, value string
		want               bool
	}{
		{"its hook", FieldHook, "pe-action-map", true},
		{"another hook", FieldHook, "pe", false},
		{"its kind", FieldKind, "invalid", true},
		{"another kind", FieldKind, "poison", false},
		{"a part of the message in another case", FieldError, "said no", true},
		{"a place that a contract found", FieldError, "/calloutcome missing", true},
		{"another message", FieldError, "yes", false},
		{"its status", FieldStatus, "503", true},
		{"its class of status", FieldStatus, "5XX", true},
		{"another status", FieldStatus, "500", false},
		{"another class", FieldStatus, "4xx", false},
		{"since the very moment", FieldSince, "2026-05-14T12:00:00Z", true},
		{"since later", FieldSince, "2026-05-14T12:00:01Z", false},
		{"since an hour ago", FieldSince, "1h", true},
		{"since a day ago", FieldSince, "1d", true},
		{"until the very moment", FieldUntil, "2026-05-14 12:00", false},
		{"until later", FieldUntil, "2026-05-14T12:00:01", true},
		{"until the day", FieldUntil, "2026-05-14", false},
		{"its event ID", FieldEventID, "evt", true},
		{"a part of its event ID", FieldEventID, "ev", false},
		{"its ID", FieldID, l.ID, true},
		{"another ID", FieldID, "0123456789abcdef", false},
		{"a string in the body", FieldWhere, "/a~1b/~0/0=x", true},
		{"another string", FieldWhere, "/a~1b/~0/0=y", false},
		{"a number as it is written", FieldWhere, "/a~1b/~0/1/n=1.50", true},
		{"a number as it is not written", FieldWhere, "/a~1b/~0/1/n=1.5", false},
		{"beyond the end of an array", FieldWhere, "/a~1b/~0/2=x", false},
		{"an index with a zero in front", FieldWhere, "/a~1b/~0/00=x", false},
		{"true", FieldWhere, "/t=true", true},
		{"null", FieldWhere, "/z=null", true},
		{"the empty string", FieldWhere, "/e=", true},
		{"a string that is escaped", FieldWhere, "/u=ü\n", true},
		{"an object is no value", FieldWhere, "/a~1b={}", false},
		{"a name that is not there", FieldWhere, "/b=first", false},
		{"into a string", FieldWhere, "/a/b=first", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f Filter
			if err := f.Set(tc.field, tc.value, noon.Add(30*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if f.Empty() {
				t.Error("the filter is empty")
			}
			if got := f.Match(l); got != tc.want {
				t.Errorf("got %v", got)
			}
			if f.Hook = "other"; tc.field != FieldHook && f.Match(l) {
				t.Error("one part is enough for it")
			}
		})
	}
	if f := new(Filter); !f.Empty() || !f.Match(l) {
		t.Error("the zero filter does not mean every letter")
	}
	if (&Filter{Where: []Where{must(ParseWhere("/a=b"))}}).Match(letter("x", hook.KindPoison, body("\xff"))) {
		t.Error("a body that is not JSON has a value")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAFilterIsReadStrictly(t *testing.T) {
	for _, tc := range []struct{ field, value, want string }{
		{FieldHook, "Upper", "cannot name a hook"},
		{FieldHook, "", "hook: it is empty"},
		{FieldKind, "transient", "not one of invalid, conflict, permanent, exhausted, poison"},
		{FieldStatus, "99", "not a status such as 503"},
		{FieldStatus, "6xx", "not a status such as 503"},
		{FieldSince, "yesterday", "neither a time such as"},
		{FieldSince, "-1h", "neither a time such as"},
		{FieldSince, "2026-13-01", "neither a time such as"},
		{FieldUntil, "9999999d", "neither a time such as"},
		{FieldID, "0123", "16 of 0-9 and a-f"},
		{FieldWhere, "callOutcome=answered", "written as a JSON pointer"},
		{FieldWhere, "/callOutcome", "written as a JSON pointer"},
		{FieldWhere, "/a~2=b", "tilde as ~0"},
		{"colour", "red", "colour is unknown"},
	} {
		t.Run(tc.field+" "+tc.value, func(t *testing.T) {
			err := new(Filter).Set(tc.field, tc.value, noon)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	f := Filter{Since: noon}
	if err := f.Set(FieldUntil, noon.Format(time.RFC3339), noon); err == nil || !strings.Contains(err.Error(), "nothing can match") {
		t.Errorf("an empty span of time: %v", err)
	}
}

func TestAFilterSurvivesJSON(t *testing.T) {
	f := Filter{
		Hook: "h", Kind: hook.KindPoison, Error: "e", Status: "5xx", Since: noon, Until: noon.Add(time.Hour), EventID: "x",
		IDs: []string{"0123456789abcdef"}, Where: []Where{must(ParseWhere("/a~1b/0=c=d"))},
	}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var got Filter
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, got, cmp.AllowUnexported(Where{})); diff != "" {
		t.Error(diff)
	}
	if raw, _ := json.Marshal(Filter{}); string(raw) != "{}" {
		t.Errorf("the zero filter is %s", raw)
	}
	if json.Unmarshal([]byte(`{"where":["a"]}`), &got) == nil {
		t.Error("a malformed pointer is taken")
	}
}
