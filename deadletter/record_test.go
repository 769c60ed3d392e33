package deadletter

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

func record(t *testing.T, l *hook.DeadLetter, values bool) map[string]any {
	t.Helper()
	var buf bytes.Buffer
	if err := NewLines(&buf).Write(NewRecord(l, values)); err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(buf.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestARecordHasPersonalDataOnlyWhereItIsAskedFor(t *testing.T) {
	l := letter("evt-secret", hook.KindPermanent, func(l *hook.DeadLetter) {
		l.Event.ClientIP = netip.MustParseAddr("192.0.2.7")
		l.Fault.Status = 422
	})
	hidden := record(t, l, false)
	raw, _ := json.Marshal(hidden)
	for _, personal := range []string{"evt-secret", "192.0.2.7", "4155550123"} {
		if strings.Contains(string(raw), personal) {
			t.Errorf("%s is in %s", personal, raw)
		}
	}
	if hidden["event_digest"] != hook.LogID("evt-secret") || hidden["size"] != float64(len(goodBody)) {
		t.Errorf("no digest or size in %s", raw)
	}
	shown := record(t, l, true)
	if shown["event_id"] != "evt-secret" || shown["client_ip"] != "192.0.2.7" || shown["body"] != goodBody {
		t.Errorf("got %v", shown)
	}
}

func TestARecordHasTheNamesOfOlderListsToo(t *testing.T) {
	l := letter("evt", hook.KindExhausted, func(l *hook.DeadLetter) { l.Fault.Status = 503 })
	got := record(t, l, true)
	var payload any
	_ = json.Unmarshal([]byte(goodBody), &payload)
	for name, want := range map[string]any{
		"original_payload": payload, "error_message": "failed", "status_code": 503.0,
		"timestamp": "2026-05-14T12:00:00Z", "retry_count": 7.0,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	l.Fault.Status, l.Fault.Time = 0, time.Time{}
	got = record(t, l, false)
	for _, name := range []string{"original_payload", "status_code", "timestamp"} {
		if v, ok := got[name]; !ok || v != nil {
			t.Errorf("%s is %v", name, v)
		}
	}
}

func TestARecordKeepsABodyByteForByte(t *testing.T) {
	for _, want := range []string{"{ \"a\" : \"<&>\" }\n", "\xff\x00", ""} {
		var buf bytes.Buffer
		if err := NewLines(&buf).Write(NewRecord(letter("x", hook.KindPoison, body(want)), true)); err != nil {
			t.Fatal(err)
		}
		var r Record
		if err := json.Unmarshal(buf.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		got := string(r.BodyBase64)
		if r.Body != nil {
			got = *r.Body
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestABodyThatIsNotUTF8MakesNoLineThatIsNotJSON(t *testing.T) {
	var buf bytes.Buffer
	if err := NewLines(&buf).Write(NewRecord(letter("evt", hook.KindInvalid, body("{\"a\":\"\xff\"}")), true)); err != nil {
		t.Fatal(err)
	}
	if line := buf.String(); !utf8.ValidString(line) || !strings.Contains(line, `"body_base64":`) || !strings.Contains(line, `"original_payload":null`) {
		t.Errorf("%q", line)
	}
}

func TestLettersThatFailedInOneWayAreAGroup(t *testing.T) {
	var g Groups
	add := func(at time.Duration, kind hook.Kind, message string, status int) string {
		l := letter(message+at.String(), kind, func(l *hook.DeadLetter) {
			l.Fault.Message, l.Fault.Status, l.Fault.Time = message, status, noon.Add(at)
		})
		r := NewRecord(l, false)
		g.Add(&r)
		return l.ID
	}
	add(2, hook.KindExhausted, `dial tcp 10.0.0.7:8080: request 3f2504e0-4f89-11d3-9a0c-0305e82c3301 took 1.5s, "a \" b"`, 0)
	latest := add(3, hook.KindExhausted, `dial tcp 192.168.1.20:80: request 00000000-4F89-11d3-9a0c-0305e82c3301 took 30s, "c"`, 0)
	add(1, hook.KindExhausted, `dial tcp [::1]:9: other`, 0)
	add(0, hook.KindPermanent, "answered", 400)
	add(0, hook.KindPermanent, "answered", 422)
	got := g.List()
	want := Group{
		Hook: "pe-action-map", Kind: hook.KindExhausted, Count: 2, First: noon.Add(2), Last: noon.Add(3), Example: latest,
		Message: `dial tcp <ip>:<n>: request <id> took <n>s, "*"`,
	}
	if len(got) != 4 || !cmp.Equal(got[0], want) {
		t.Errorf("%d groups; %s", len(got), cmp.Diff(want, got[0]))
	}
}

func TestWordsAreNotTakenForIDs(t *testing.T) {
	for in, want := range map[string]string{
		"connection refused":                "connection refused",
		"trace 0af7651916cd43dd8448eb21 ok": "trace <id> ok",
		"effaceable facade":                 "effaceable facade",
		"deadbeef1 and beefdead":            "<id> and beefdead",
		"[fe80::1%eth0]:80":                 "<ip>:<n>",
		"does not meet pe-action-map/1":     "does not meet pe-action-map/<n>",
	} {
		if got := normalize(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
