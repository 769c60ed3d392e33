package contract

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

const example = `{"campaignId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","campaignName":"Q4_Retention_Outbound","contactId":"98765432-10fe-dcba-0987-654321fedcba",
 "contactNumber":"+14155551234","callOutcome":"answered","agentId":"11223344-5566-7788-99aa-bbccddeeff00","agentName":"Sarah_Jenkins",
 "dispositionCode":"INTERESTED_CALLBACK","dispositionLabel":"Interested - Callback Scheduled","callDurationSeconds":142,
 "timestamp":"2024-05-14T18:32:11.450Z","webhookEventId":"evt_8f7g6h5j4k3l2m1n0o9p8q7r6s5t4u3v"}`

const exampleID = "evt_8f7g6h5j4k3l2m1n0o9p8q7r6s5t4u3v"

func actionMap(t testing.TB) *Reader {
	t.Helper()
	c, err := Builtin("pe-action-map")
	if err != nil {
		t.Fatal(err)
	}
	return newReader(t, Options{Contract: c})
}

func newReader(t testing.TB, opts Options) *Reader {
	t.Helper()
	r, err := NewReader(opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func withID(value string) string { return strings.Replace(example, `"`+exampleID+`"`, value, 1) }

func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

func TestTheExampleIsRead(t *testing.T) {
	doc, err := actionMap(t).Read([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if doc.ID != exampleID || len(doc.Violations) > 0 || !doc.HasTimestamp || !doc.Timestamp.Equal(time.Date(2024, 5, 14, 18, 32, 11, 450e6, time.UTC)) {
		t.Errorf("read %+v", doc)
	}
}

func TestWhatIsNotStrictJSONIsRefused(t *testing.T) {
	anything := newReader(t, Options{})
	for name, body := range map[string]string{
		"nothing":                       "",
		"white space":                   " \r\n\t",
		"a byte order mark":             "\ufeff{}",
		"half an object":                `{"a":1`,
		"a value too few":               `{"a":}`,
		"a comma too many":              `{"a":1,}`,
		"single quotes":                 `{'a':1}`,
		"a comment":                     `{/**/}`,
		"NaN":                           `{"a":NaN}`,
		"a leading zero":                `{"a":01}`,
		"UTF-16":                        "\xff\xfe{\x00}\x00",
		"invalid UTF-8 in a value":      "{\"a\":\"\xff\"}",
		"invalid UTF-8 in a name":       "{\"\xff\":1}",
		"an overlong encoding":          "{\"a\":\"\xc0\xaf\"}",
		"a lone high surrogate":         `{"a":"\ud800"}`,
		"a lone low surrogate":          `{"a":"\udc00"}`,
		"a raw surrogate":               "{\"a\":\"\xed\xa0\x80\"}",
		"a control character":           "{\"a\":\"\x01\"}",
		"a name twice":                  `{"a":1,"a":2}`,
		"a name twice, once escaped":    `{"a":1,"\u0061":2}`,
		"a name twice, deep inside":     `{"x":[{"y":{"a":1,"a":1}}]}`,
		"an array":                      `[{}]`,
		"a string":                      `"a"`,
		"null":                          `null`,
		"a second object":               `{}{}`,
		"text behind the object":        `{} x`,
		"a zero byte behind the object": "{}\x00",
		"33 levels":                     nested(33),
		"10,000 levels":                 strings.Repeat(`{"a":`, 10000),
		"10,000 arrays":                 `{"a":` + strings.Repeat(`[`, 10000),
		"1,001 members of an array":     `{"a":[` + strings.Repeat("1,", 1000) + "1]}",
		"a number of 65 characters":     `{"a":` + strings.Repeat("1", 65) + "}",
		"more than 10,000 values":       `{"a":[` + strings.TrimSuffix(strings.Repeat("["+strings.TrimSuffix(strings.Repeat("1,", 999), ",")+"],", 11), ",") + "]}",
	} {
		t.Run(name, func(t *testing.T) {
			for contract, r := range map[string]*Reader{"without a contract": anything, "with one": actionMap(t)} {
				_, err := r.Read([]byte(body))
				if hook.CodeOf(err) != hook.CodeInvalidJSON || err == nil {
					t.Errorf("%s: got %v", contract, err)
				}
			}
		})
	}
}

func TestWhatIsAtTheLimitIsTaken(t *testing.T) {
	r := newReader(t, Options{})
	for name, body := range map[string]string{
		"an empty object":           "{}",
		"white space around":        " \n{} \n",
		"32 levels":                 nested(32),
		"1,000 members":             `{"a":[` + strings.Repeat("1,", 999) + "1]}",
		"a number of 64":            `{"a":` + strings.Repeat("1", 64) + "}",
		"a pair of surrogates":      `{"a":"\ud83d\ude00"}`,
		"names that differ in case": `{"a":1,"A":2}`,
	} {
		if _, err := r.Read([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABodyThatBreaksOffIsRefusedWhereverItDoes(t *testing.T) {
	r := actionMap(t)
	for n := range len(example) {
		if _, err := r.Read([]byte(example[:n])); hook.CodeOf(err) != hook.CodeInvalidJSON {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
}

func TestTheEventIDIsFoundExactly(t *testing.T) {
	long := strings.Repeat("i", 256)
	for _, tc := range []struct{ name, body, want string }{
		{"as it is", example, exampleID},
		{"with an escape", withID(`"a\u0062c"`), "abc"},
		{"of 255 bytes", withID(`"` + long[:255] + `"`), long[:255]},
		{"of 256 bytes by its digest", withID(`"` + long + `"`), hook.DigestID(sha256.Sum256([]byte(long)))},
		{"absent", strings.Replace(example, "webhookEventId", "id", 1), ""},
		{"in upper case", strings.Replace(example, "webhookEventId", "WEBHOOKEVENTID", 1), ""},
		{"with a Kelvin sign", strings.Replace(example, "webhookEventId", "webhoo\u212aEventId", 1), ""},
		{"null", withID("null"), ""},
		{"empty", withID(`""`), ""},
		{"a number", withID("17"), ""},
		{"an object", withID(`{"a":1}`), ""},
		{"with a control character", withID(`"a\u0000"`), ""},
		{"with DEL", withID("\"a\u007f\""), ""},
		{"with a C1 control", withID("\"a\u0085\""), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := actionMap(t).Read([]byte(tc.body))
			switch {
			case tc.want == "" && hook.CodeOf(err) != hook.CodeMissingEventID:
				t.Errorf("got %q, %v", doc.ID, err)
			case doc.ID != tc.want:
				t.Errorf("got %q, %v", doc.ID, err)
			}
		})
	}
}

func TestSeveralPointersAreJoined(t *testing.T) {
	r := newReader(t, Options{EventID: &EventID{Pointers: []string{"/a/b", "/c~1d"}}})
	doc, err := r.Read([]byte(`{"a":{"b":"x/y%"},"c/d":"z"}`))
	if err != nil || doc.ID != "x%2Fy%25/z" {
		t.Errorf("got %q, %v", doc.ID, err)
	}
	if _, err := r.Read([]byte(`{"a":{"b":"x"}}`)); hook.CodeOf(err) != hook.CodeMissingEventID || !strings.Contains(err.Error(), "/c~1d") {
		t.Errorf("got %v", err)
	}
}

func TestTheBodyCanBeTheID(t *testing.T) {
	r := newReader(t, Options{EventID: &EventID{Body: true}})
	a, err := r.Read([]byte(`{"a":1}`))
	b, _ := r.Read([]byte(`{"a":2}`))
	if err != nil || a.ID == b.ID || a.ID != hook.DigestID(a.Fingerprint) {
		t.Errorf("got %q and %q, %v", a.ID, b.ID, err)
	}
}

func TestAnEmptyEventIDLooksForNone(t *testing.T) {
	c, _ := Builtin("pe-action-map")
	for name, opts := range map[string]Options{"no contract": {}, "somewhere else": {Contract: c, EventID: &EventID{}}} {
		doc, err := newReader(t, opts).Read([]byte(example))
		if err != nil || doc.ID != "" {
			t.Errorf("%s: %q %v", name, doc.ID, err)
		}
	}
}

func TestPointersAreReadStrictly(t *testing.T) {
	for _, p := range []string{"", "a", "/", "/a~", "/a~2"} {
		if _, err := NewReader(Options{EventID: &EventID{Pointers: []string{p}}}); err == nil {
			t.Errorf("%q was taken", p)
		}
	}
	if _, err := NewReader(Options{EventID: &EventID{Pointers: []string{"/a"}, Body: true}}); err == nil {
		t.Error("pointers and the body were taken")
	}
}

func TestTheFingerprintLeavesOutWhatIsVolatile(t *testing.T) {
	r := actionMap(t)
	fp := func(body string) hook.Fingerprint {
		t.Helper()
		doc, err := r.Read([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return doc.Fingerprint
	}
	if fp(example) != fp(strings.Replace(example, "18:32:11.450Z", "20:00:00Z", 1)) {
		t.Error("another timestamp is another fingerprint")
	}
	for name, changed := range map[string]string{
		"another outcome": strings.Replace(example, "answered", "busy", 1),
		"another ID":      withID(`"x"`),
		"a new field":     strings.Replace(example, "{", `{"x":1,`, 1),
	} {
		if fp(example) == fp(changed) {
			t.Errorf("%s has the same fingerprint", name)
		}
	}
}

func TestViolationsNamePlacesAndNoValues(t *testing.T) {
	const marker = "SECRETVALUE"
	for _, tc := range []struct {
		name, old, new string
		want           []hook.Violation
	}{
		{"a required field is absent", `"callOutcome":"answered",`, "", []hook.Violation{{Pointer: "/callOutcome", Code: "missing"}}},
		{"a required field is null", `"answered"`, "null", []hook.Violation{{Pointer: "/callOutcome", Code: "type"}}},
		{"a required field is empty", `"answered"`, `""`, []hook.Violation{{Pointer: "/callOutcome", Code: "minLength"}}},
		{"a number is a string", "142", `"` + marker + `"`, []hook.Violation{{Pointer: "/callDurationSeconds", Code: "type"}}},
		{"a number is negative", "142", "-1", []hook.Violation{{Pointer: "/callDurationSeconds", Code: "minimum"}}},
		{"a timestamp is none", "2024-05-14T18:32:11.450Z", marker, []hook.Violation{{Pointer: "/timestamp", Code: "format"}}},
		{"a null that may be", "142", "null", nil},
		{"an absent field that may be", `"agentName":"Sarah_Jenkins",`, "", nil},
		{"an unknown field", "{", `{"` + marker + `":"` + marker + `",`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := actionMap(t).Read([]byte(strings.Replace(example, tc.old, tc.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, doc.Violations); diff != "" {
				t.Error(diff)
			}
			if shown, _ := json.Marshal(doc.Violations); strings.Contains(string(shown), marker) {
				t.Error("a value of the body is shown")
			}
		})
	}
}

func TestErrorsHoldNothingOfTheBody(t *testing.T) {
	const marker = "SECRETVALUE"
	for _, body := range []string{
		`{"` + marker + `":1,"` + marker + `":2}`, `{"a":` + marker + `}`, `{"a":"` + marker, marker, `{"a":"` + marker + `\ud800"}`,
		`{"a":1}` + marker, withID(`{"` + marker + `":1}`), withID(`["` + marker + `"]`), withID(`"` + marker + `\u0001"`),
	} {
		_, err := actionMap(t).Read([]byte(body))
		if err == nil || strings.Contains(err.Error(), marker) {
			t.Errorf("%s: %v", body, err)
		}
		e, ok := errors.AsType[*hook.Error](err)
		if !ok || e.Detail == "" {
			t.Errorf("%s: no detail", body)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{example, "", "{}", "[]", withID("null"), withID(`"\u0000"`), `{"a":1,"a":2}`, nested(40), "\ufeff{}", `{"webhookEventId":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	r := actionMap(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := r.Read(body)
		if err != nil {
			if c := hook.CodeOf(err); c != hook.CodeInvalidJSON && c != hook.CodeMissingEventID {
				t.Fatalf("the error %v", err)
			}
			return
		}
		// What is accepted, others read in the same way.
		var other map[string]any
		if err := json.Unmarshal(body, &other); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if id, _ := other["webhookEventId"].(string); len(id) <= hook.MaxIDLength && id != doc.ID {
			t.Errorf("the ID is %q here and %q there", doc.ID, id)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	r := newReaders(b, actionMap(b).contract)
	noAgent := strings.Replace(example, `"agentId":"11223344-5566-7788-99aa-bbccddeeff00","agentName":"Sarah_Jenkins",`, "", 1)
	for _, bm := range []struct {
		name, body string
		reader     *Reader
	}{
		{"pe-action-map", example, r.quick},
		{"pe-action-map, absent nulls", noAgent, r.quick},
		{"pe-action-map, violation", strings.Replace(example, `"answered"`, "null", 1), r.quick},
		{"pe-action-map, no quick form", example, r.thorough},
		{"no contract", example, newReader(b, Options{EventID: &EventID{Pointers: []string{"/webhookEventId"}}})},
	} {
		b.Run(bm.name, func(b *testing.B) {
			body := []byte(bm.body)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bm.reader.Read(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
