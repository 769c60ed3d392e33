package contract

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// members returns an object of n members.
func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":0`, i)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// values returns an object that holds n values, itself included.
func values(n int) string {
	n -= 2 // the object and the array
	var b strings.Builder
	for n > 0 {
		k := min(n-1, MaxMembers)
		b.WriteString(",[" + strings.TrimPrefix(strings.Repeat(",0", k), ",") + "]")
		n -= k + 1
	}
	return `{"a":[` + strings.TrimPrefix(b.String(), ",") + "]}"
}

func TestARefusalSaysWhyAndAtWhichByte(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{"an empty body", "", "the body is empty, at byte 0"},
		{"white space only", " \t\r\n", "the body is empty, at byte 0"},
		{"a form feed is no white space", "\f{}", "the body is not JSON, at byte 0"},
		{"a byte order mark", "\ufeff{}", "the body begins with a byte order mark, at byte 0"},
		{"a byte that is no UTF-8", "{\"a\":\"\xff\"}", "the body is not UTF-8, at byte 6"},
		{"a character that breaks off", "{\"é\":\"\xe2\x82\"}", "the body is not UTF-8, at byte 7"},
		{"the replacement character is UTF-8", "{\"a\":\"\ufffd\"", "the body breaks off, at byte 10"},
		{"a raw surrogate", "{\"a\":\"\xed\xa0\x80\"}", "the body is not UTF-8, at byte 6"},
		{"a lone high surrogate", `{"a":"\ud800"}`, "a string has an escape that does not exist, or half of a surrogate pair, at byte 6"},
		{"a lone low surrogate in a name", `{"a":1,"\udc00":2}`, "a string has an escape that does not exist, or half of a surrogate pair, at byte 8"},
		{"two high surrogates", `{"a":"\ud800\ud800"}`, "a string has an escape that does not exist, or half of a surrogate pair, at byte 6"},
		{"an unknown escape", `{"a":"\x41"}`, "a string has an escape that does not exist, or half of a surrogate pair, at byte 6"},
		{"a name twice", `{"a":1, "a":2}`, "a name stands twice in one object, at byte 8"},
		{"a name twice, the second in two escapes", `{"é":1,"\u00E9":2}`, "a name stands twice in one object, at byte 8"},
		{"an empty name twice", `{"":1,"":2}`, "a name stands twice in one object, at byte 6"},
		{"a name twice in an array's object", `{"a":[{"b":0,"b":0}]}`, "a name stands twice in one object, at byte 13"},
		{"a name twice among many", strings.TrimSuffix(members(500), "}") + `,"m7":1}`, "a name stands twice in one object, at byte 4391"},
		{"a name UTF-8 said twice", `{"UTF-8":1,"UTF-8":1}`, "a name stands twice in one object, at byte 11"},
		{"an array", `[{}]`, "the body is not an object, at byte 0"},
		{"a number", ` 1`, "the body is not an object, at byte 0"},
		{"true", `true`, "the body is not an object, at byte 0"},
		{"a second value", "{}\n{}", "something stands behind the object, at byte 3"},
		{"a comma behind the object", "{},", "something stands behind the object, at byte 2"},
		{"a zero byte behind the object", "{}\x00", "something stands behind the object, at byte 2"},
		{"a brace too many", "{}}", "something stands behind the object, at byte 2"},
		{"an object for a name", `{{}:1}`, "the body is not JSON, at byte 1"},
		{"a number for a name", `{1:1}`, "the body is not JSON, at byte 1"},
		{"a colon too few", `{"a" 1}`, "the body is not JSON, at byte 5"},
		{"a comma too few", `{"a":1 "b":2}`, "the body is not JSON, at byte 7"},
		{"a comma too many", `{"a":1,}`, "the body is not JSON, at byte 6"},
		{"a comma in front", `{,"a":1}`, "the body is not JSON, at byte 1"},
		{"brackets that do not match", `{"a":[1}}`, "the body is not JSON, at byte 7"},
		{"infinity", `{"a":Infinity}`, "the body is not JSON, at byte 5"},
		{"a plus sign", `{"a":+1}`, "the body is not JSON, at byte 5"},
		{"a hexadecimal number", `{"a":0x1}`, "the body is not JSON, at byte 6"},
		{"a point without a digit", `{"a":1.}`, "the body is not JSON, at byte 7"},
		{"a raw line feed in a string", "{\"a\":\"\n\"}", "the body is not JSON, at byte 6"},
		{"a literal in another case", `{"a":True}`, "the body is not JSON, at byte 5"},
		{"an object that breaks off", `{"a":1`, "the body breaks off, at byte 6"},
		{"33 objects", nested(33), "the body is nested more than 32 deep, at byte 160"},
		{"33 arrays and objects", `{"a":` + strings.Repeat("[", 32), "the body is nested more than 32 deep, at byte 36"},
		{"1,001 members", members(1001), "an object has more than 1000 members, at byte 8891"},
		{"1,001 elements", `{"a":[0` + strings.Repeat(",0", 1000) + "]}", "an array has more than 1000 elements, at byte 2006"},
		{"10,001 values", values(10_001), "the body has more than 10000 values, at byte 20001"},
		{"a number of 65 characters", `{"a": ` + strings.Repeat("1", 65) + "}", "a number has more than 64 characters, at byte 6"},
		{"a number beyond a float64", `{"a":1e309}`, "a number is too large, at byte 5"},
		{"a number far beyond a float64", `{"a":-1E99999999999}`, "a number is too large, at byte 5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for kind, r := range map[string]*Reader{"without a contract": newReader(t, Options{}), "with one": actionMap(t)} {
				_, err := r.Read([]byte(tc.body))
				e, ok := errors.AsType[*hook.Error](err)
				if !ok || e.Code != hook.CodeInvalidJSON || e.Detail != tc.want || e.Err != nil {
					t.Errorf("%s: got %v, want %q", kind, err, tc.want)
				}
			}
		})
	}
}

func TestWhatIsAtALimitIsTakenWithAndWithoutAContract(t *testing.T) {
	id := func(body string) string { return `{"webhookEventId":"e","x":` + body + "}" }
	for name, body := range map[string]string{
		"32 levels":                     id(nested(31)),
		"1,000 members":                 id(members(1000)),
		"10,000 values":                 id(values(9998)),
		"a number of 64 characters":     id("-" + strings.Repeat("9", 63)),
		"the largest float64":           id("1.7976931348623157e308"),
		"a number that is nearly zero":  id("1e-999999999"),
		"zero with a huge exponent":     id("0e999999999"),
		"white space of all four kinds": " \t\r\n" + id("1") + " \t\r\n",
		"names that differ in case":     id(`{"a":1,"A":1}`),
		"names of two spellings of é":   id("{\"\u00e9\":1,\"e\u0301\":1}"),
		"the same name in two objects":  id(`[{"a":1},{"a":1}]`),
		"a pair of surrogates":          id(`"\ud83d\ude00"`),
		"an escaped zero in a value":    id(`"\u0000"`),
		"empty containers and an empty": id(`{"":[{},[],"",null]}`),
	} {
		t.Run(name, func(t *testing.T) {
			for kind, r := range map[string]*Reader{
				"without a contract": newReader(t, Options{EventID: &EventID{Pointers: []string{"/webhookEventId"}}}), "with one": actionMap(t),
			} {
				if doc, err := r.Read([]byte(body)); err != nil || doc.ID != "e" {
					t.Errorf("%s: %q, %v", kind, doc.ID, err)
				}
			}
		})
	}
}

// Far below a request's time, however slow the machine: these bodies are made
// to cost.
func TestBodiesMadeToBeExpensiveAreReadQuickly(t *testing.T) {
	const limit = 2 * time.Second
	numbers := `{"webhookEventId":"e","callDurationSeconds":NUMBER,"list":[NUMBER` + strings.Repeat(",NUMBER", 999) + "]}"
	exact := parse(t, `{"x-hookgate":{"name":"x","version":1,"event_id":["/webhookEventId"]},
		"properties":{"list":{"items":{"type":"integer","minimum":0,"multipleOf":3}},"callDurationSeconds":{"const":1}}}`)
	for name, body := range map[string]string{
		"a million brackets":      `{"a":` + strings.Repeat("[", 1<<20),
		"a million braces":        strings.Repeat("{", 1<<20),
		"a million nested names":  strings.Repeat(`{"a":`, 1<<18),
		"nested names of objects": "{" + strings.Repeat(`{"a":`, 1<<18),
		"a million equal names":   "{" + strings.Repeat(`"a":1,`, 1<<18),
		"a million numbers":       `{"a":[` + strings.Repeat("1,", 1<<20),
		"a million digits":        `{"a":` + strings.Repeat("1", 1<<20) + "}",
		"a million spaces":        strings.Repeat(" ", 1<<20) + "{}" + strings.Repeat(" ", 1<<20),
		"large exponents":         strings.ReplaceAll(numbers, "NUMBER", "1e307"),
		"small exponents":         strings.ReplaceAll(numbers, "NUMBER", "1e-999999"),
		"exponents out of range":  strings.ReplaceAll(numbers, "NUMBER", "1e-9999999999"),
	} {
		t.Run(name, func(t *testing.T) {
			for kind, r := range map[string]*Reader{"pe-action-map": actionMap(t), "exact": newReader(t, Options{Contract: exact})} {
				start := time.Now()
				_, _ = r.Read([]byte(body))
				if took := time.Since(start); took > limit {
					t.Errorf("%s: took %v", kind, took)
				}
			}
		})
	}
}

// Every single byte of the example is changed, dropped and doubled: nothing
// panics, and no error shows what stands around.
func TestADamagedExampleIsReadOrRefusedInSilence(t *testing.T) {
	r := actionMap(t)
	secrets := []string{"a1b2c3d4", "Q4_Retention", "98765432", "14155551234", "Sarah", "INTERESTED", "evt_8f7g"}
	check := func(body string) {
		t.Helper()
		doc, err := r.Read([]byte(body))
		shown := fmt.Sprint(err, doc.Violations)
		if err != nil {
			if code := hook.CodeOf(err); code != hook.CodeInvalidJSON && code != hook.CodeMissingEventID {
				t.Fatalf("%q: %v", body, err)
			}
		}
		for _, secret := range secrets {
			if strings.Contains(shown, secret) {
				t.Fatalf("%q: %s", body, shown)
			}
		}
	}
	for at := range len(example) {
		before, after := example[:at], example[at+1:]
		for _, with := range []string{"", "\x00", "\xff", `"`, `\`, "{", "}", "[", "]", ",", ":", "1", "-", "é", string(example[at]) + string(example[at])} {
			check(before + with + after)
		}
	}
}
