package contract

import (
	"bytes"
	"crypto/sha256"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/hookgate/hookgate/hook"
)

// parse makes a contract of a schema.
func parse(t testing.TB, schema string) *Contract {
	t.Helper()
	c, err := Parse("test", []byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// prints returns the fingerprints of bodies.
func prints(t *testing.T, r *Reader, bodies ...string) []hook.Fingerprint {
	t.Helper()
	all := make([]hook.Fingerprint, len(bodies))
	for i, body := range bodies {
		doc, err := r.Read([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		all[i] = doc.Fingerprint
	}
	return all
}

const volatileSchema = `{"x-hookgate":{"name":"x","version":1,"event_id":["/id"],"volatile":["/at","/meta/sent","/trace"]}}`

func TestTheFingerprintIsTheDigestOfTheBytesLessTheVolatileValues(t *testing.T) {
	r := newReader(t, Options{Contract: parse(t, volatileSchema)})
	for _, tc := range []struct{ name, body, hashed string }{
		{"nothing volatile", `{"id":"1"}`, `{"id":"1"}`},
		{"a string", `{"id":"1", "at" : "now" }`, `{"id":"1", "at" :  }`},
		{"a number", `{"at":12.5e3,"id":"1"}`, `{"at":,"id":"1"}`},
		{"null", `{"id":"1","at":null}`, `{"id":"1","at":}`},
		{"an object", `{"trace":{"a":[1,{"at":2}]},"id":"1"}`, `{"trace":,"id":"1"}`},
		{"an array", "{\"trace\":\n[ ]\n,\"id\":\"1\"}", "{\"trace\":\n\n,\"id\":\"1\"}"},
		{"two, and one deeper", `{"at":1,"meta":{"sent":"x","by":"y"},"id":"1"}`, `{"at":,"meta":{"sent":,"by":"y"},"id":"1"}`},
		{"a name in an escape", `{"\u0061t":1,"id":"1"}`, `{"\u0061t":,"id":"1"}`},
		{"the same name elsewhere", `{"x":{"at":1},"At":1,"sent":1,"id":"1"}`, `{"x":{"at":1},"At":1,"sent":1,"id":"1"}`},
		{"the same name in an array", `{"meta":[{"sent":1}],"id":"1"}`, `{"meta":[{"sent":1}],"id":"1"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := prints(t, r, tc.body)[0]; got != sha256.Sum256([]byte(tc.hashed)) {
				t.Errorf("got another digest than that of %s", tc.hashed)
			}
		})
	}
}

func TestOnlyAVolatileValueMayDiffer(t *testing.T) {
	all := prints(t, newReader(t, Options{Contract: parse(t, volatileSchema)}),
		`{"id":"1","at":"a","x":1}`,
		`{"id":"1","x":1}`,
		`{"id":"1","at":"a","x":2}`,
		`{"id":"2","at":"a","x":1}`,
		`{"id":"1","at":"a", "x":1}`,
		`{"id":"1","x":1,"at":"a"}`,
		`{"id":"1","At":"a","x":1}`,
		`{"id":"1","meta":{"sent":"a"},"x":1}`,
	)
	for i := range all {
		for j := range i {
			if all[i] == all[j] {
				t.Errorf("bodies %d and %d have the same fingerprint", j, i)
			}
		}
	}
}

// Otherwise two events would be taken for one, where only the ID tells them
// apart.
func TestAVolatileMemberThatIsTheEventIDCounts(t *testing.T) {
	r := newReader(t, Options{Contract: parse(t, volatileSchema), EventID: &EventID{Pointers: []string{"/id", "/at"}}})
	all := prints(t, r, `{"id":"1","at":"a","trace":1}`, `{"id":"1","at":"b","trace":1}`, `{"id":"1","at":"a","trace":2}`)
	if all[0] == all[1] {
		t.Error("another ID has the same fingerprint")
	}
	if all[0] != all[2] {
		t.Error("the other volatile members count too")
	}
}

func TestTheBodyAsIDSurvivesAResend(t *testing.T) {
	c := parse(t, volatileSchema)
	r := newReader(t, Options{Contract: c, EventID: &EventID{Body: true}})
	all := prints(t, r, `{"at":1,"x":1}`, `{"at":2,"x":1}`)
	doc, err := r.Read([]byte(`{"at":3,"x":1}`))
	if err != nil || all[0] != all[1] || doc.ID != hook.DigestID(all[0]) {
		t.Errorf("got %q, %v", doc.ID, err)
	}
}

func TestReadingLeavesTheBodyAsItIs(t *testing.T) {
	body := []byte(strings.Replace(example, "answered", `\u0061nswered`, 1))
	before := bytes.Clone(body)
	if _, err := actionMap(t).Read(body); err != nil || !bytes.Equal(body, before) {
		t.Errorf("it is changed, or %v", err)
	}
}

func TestWhatWasReadDoesNotChangeWithTheBody(t *testing.T) {
	for name, r := range map[string]*Reader{
		"with a contract":    actionMap(t),
		"without a contract": newReader(t, Options{EventID: &EventID{Pointers: []string{"/webhookEventId"}}}),
	} {
		body := []byte(example)
		doc, err := r.Read(body)
		if err != nil {
			t.Fatal(err)
		}
		clear(body)
		if doc.ID != exampleID {
			t.Errorf("%s: the ID is %q now", name, doc.ID)
		}
	}
}

// Bodies are personal data, and up to megabytes: what is kept for the next body
// must not keep the last one.
func TestNothingKeepsABodyOnceItWasRead(t *testing.T) {
	r := actionMap(t)
	w := newWalk(r)
	read := func(body string) weak.Pointer[byte] {
		data := []byte(body)
		_, _ = w.read(data)
		w.release()
		return weak.Make(&data[0])
	}
	for name, body := range map[string]string{"a good one": example, "a broken one": example[:300], "one with text behind": example + "x"} {
		kept := read(body)
		deadline := time.Now().Add(10 * time.Second)
		for runtime.GC(); kept.Value() != nil; runtime.GC() {
			if time.Now().After(deadline) {
				t.Fatalf("%s is still there", name)
			}
		}
		if w.body != nil || w.text != "" || w.timestamps[0].text != nil || w.ids[0].text != nil {
			t.Errorf("%s: parts are still there", name)
		}
	}
	runtime.KeepAlive(w)
}

func TestTheTimestampIsReadAsRFC3339(t *testing.T) {
	utc := func(s string) time.Time {
		t.Helper()
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, tc := range []struct {
		name, value string
		want        time.Time // zero: none, and a violation
	}{
		{"in UTC", `"2024-05-14T18:32:11Z"`, utc("2024-05-14T18:32:11Z")},
		{"with nanoseconds", `"2024-05-14T18:32:11.123456789Z"`, utc("2024-05-14T18:32:11.123456789Z")},
		{"with an offset", `"2024-05-14T18:32:11+02:00"`, utc("2024-05-14T16:32:11Z")},
		{"in lower case", `"2024-05-14t18:32:11z"`, utc("2024-05-14T18:32:11Z")},
		{"a leap second", `"2016-12-31T23:59:60Z"`, utc("2017-01-01T00:00:00Z")},
		{"a leap second elsewhere", `"2017-01-01T00:59:60+01:00"`, utc("2017-01-01T00:00:00Z")},
		{"a leap second at the wrong time", `"2016-12-31T22:59:60Z"`, time.Time{}},
		{"a second too many", `"2016-12-31T23:59:61Z"`, time.Time{}},
		{"without a zone, as UTC", `"2024-05-14T18:32:11"`, utc("2024-05-14T18:32:11Z")},
		{"a date", `"2024-05-14"`, time.Time{}},
		{"with a space", `"2024-05-14 18:32:11Z"`, time.Time{}},
		{"with a comma", `"2024-05-14T18:32:11,5Z"`, time.Time{}},
		{"with a sign for a digit", `"2024-05-14T+1:32:11Z"`, time.Time{}},
		{"with an hour of one digit", `"2024-05-14T8:32:11.5Z"`, time.Time{}},
		{"with a point and no digit", `"2024-05-14T18:32:11.Z"`, time.Time{}},
		{"with half an offset", `"2024-05-14T18:32:11+02"`, time.Time{}},
		{"with an offset of 60 minutes", `"2024-05-14T18:32:11+02:60"`, time.Time{}},
		{"with an offset without a colon", `"2024-05-14T18:32:11+0200"`, time.Time{}},
		{"with text behind it", `"2024-05-14T18:32:11ZZ"`, time.Time{}},
		{"with an offset that does not exist", `"2024-05-14T18:32:11+24:00"`, time.Time{}},
		{"a day that does not exist", `"2023-02-29T18:32:11Z"`, time.Time{}},
		{"in another form", `"Tue, 14 May 2024 18:32:11 GMT"`, time.Time{}},
		{"a number", `1715711531`, time.Time{}},
		{"null", `null`, time.Time{}},
		{"empty", `""`, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := actionMap(t).Read([]byte(strings.Replace(example, `"2024-05-14T18:32:11.450Z"`, tc.value, 1)))
			if err != nil {
				t.Fatal(err)
			}
			good := !tc.want.IsZero()
			if doc.HasTimestamp != good || !doc.Timestamp.Equal(tc.want) {
				t.Errorf("got %v, %v", doc.Timestamp, doc.HasTimestamp)
			}
			if good != (len(doc.Violations) == 0) {
				t.Errorf("the contract says %v", doc.Violations)
			}
		})
	}
}
