package embedded

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func fullEvent() *hook.Event {
	return &hook.Event{
		ID: "evt_1", Hook: "h", RoutingKey: "r", Queue: "q", Task: "app.tasks.take", Contract: "c@1", ContentType: "application/json",
		Body:        []byte("{\"a\":\x00\xff 1}\n"),
		Fingerprint: hook.Fingerprint{1, 2, 31: 3},
		ReceivedAt:  time.Date(2026, 5, 14, 18, 32, 11, 450000001, time.UTC),
		ClientIP:    netip.MustParseAddr("fe80::1%eth0"),
		Header:      map[string]string{hook.HeaderTraceparent: "00-a", hook.HeaderTracestate: "b=c", hook.HeaderUnverified: "1"},
		Attempt:     3, Replay: 2,
	}
}

func fullFault() *hook.Fault {
	return &hook.Fault{
		Kind: hook.KindExhausted, Message: "gone", Status: 503, RetryAfter: 90 * time.Second, Attempt: 4,
		Violations: []hook.Violation{{Pointer: "/a", Code: "missing"}, {Pointer: "", Code: "type"}},
		Time:       time.Date(2026, 5, 14, 19, 0, 0, 0, time.UTC), First: time.Date(1969, 5, 14, 18, 0, 0, 5, time.UTC),
	}
}

// envelopes are the seeds of the fuzz test too.
func envelopes(t testing.TB) map[string]hook.Entry {
	t.Helper()
	v4 := fullEvent()
	v4.ClientIP = netip.MustParseAddr("192.0.2.1")
	queue, task := fullEvent(), fullEvent()
	queue.Task, task.Queue = "", ""
	noRoute := fullEvent()
	noRoute.Queue, noRoute.Task = "", ""
	large := fullEvent()
	large.Body = bytes.Repeat([]byte("x"), 100_000)
	at := time.Date(2026, 5, 14, 18, 32, 12, 0, time.UTC)
	return map[string]hook.Entry{
		"an event with every field":       {At: at, Event: fullEvent()},
		"a dead letter with every field":  {At: at, Event: v4, Fault: fullFault()},
		"an event with nothing but an ID": {Event: &hook.Event{ID: "x"}},
		"a fault with nothing in it":      {Event: &hook.Event{ID: "x"}, Fault: &hook.Fault{}},
		"an event with a queue alone":     {At: at, Event: queue},
		"a dead letter with a task alone": {At: at, Event: task, Fault: fullFault()},
		"an event with neither":           {At: at, Event: noRoute},
		"a dead letter with neither":      {At: at, Event: noRoute, Fault: fullFault()},
		"a large body":                    {At: at, Event: large},
	}
}

func TestAnEnvelopeComesBackAsItWas(t *testing.T) {
	for name, want := range envelopes(t) {
		t.Run(name, func(t *testing.T) {
			b, err := appendEnvelope([]byte("before"), want.At, want.Event, want.Fault)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeEnvelope(b[len("before"):])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, compareAddr); diff != "" {
				t.Error(diff)
			}
			for n := range min(len(b)-len("before"), 400) {
				if _, err := decodeEnvelope(b[len("before") : len("before")+n]); err == nil {
					t.Fatalf("the first %d bytes alone are an envelope", n)
				}
			}
			if _, err := decodeEnvelope(append(b[len("before"):], 0)); err == nil {
				t.Error("with a byte behind it it is an envelope")
			}
		})
	}
}

// The bytes are in files: what is written today must be these, and what was
// written before there were queues and tasks is the first and the third.
func TestTheFormOfAnEnvelopeIsStable(t *testing.T) {
	front := "\x02\x00" + "\x01i\x01h\x00\x00\x00" + strings.Repeat("\x00", 32) + "\x04\x03" + "\x04\x01\x02\x03\x04" + "\x00\x00\x00"
	fault := "\x07invalid\x01m" + "\x01\x02/a\x07missing" + "\xf7\x03\x01" + "\x04" + "\x06\x00" + "\x08\x05"
	for _, tc := range []struct {
		name        string
		queue, task string
		fault       *hook.Fault
		want        string
	}{
		{"an event", "", "", nil, "\x01\x00" + front + "\x02{}"},
		{"an event with a queue and a task", "q", "a.b", nil, "\x01\x02" + front + "\x01q\x03a.b" + "\x02{}"},
		{"a dead letter", "", "", goldenFault(), "\x01\x01" + front + fault + "\x02{}"},
		{"a dead letter with a queue", "q", "", goldenFault(), "\x01\x03" + front + "\x01q\x00" + fault + "\x02{}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ev := &hook.Event{
				ID: "i", Hook: "h", Queue: tc.queue, Task: tc.task, Body: []byte("{}"),
				ReceivedAt: time.Unix(2, 3).UTC(), ClientIP: netip.MustParseAddr("1.2.3.4"),
			}
			b, err := appendEnvelope(nil, time.Unix(1, 0), ev, tc.fault)
			if err != nil {
				t.Fatal(err)
			}
			if string(b) != tc.want {
				t.Errorf("%q, want %q", b, tc.want)
			}
			got, err := decodeEnvelope([]byte(tc.want))
			if err != nil {
				t.Fatal(err)
			}
			want := hook.Entry{At: time.Unix(1, 0).UTC(), Event: ev, Fault: tc.fault}
			if diff := cmp.Diff(want, got, compareAddr); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func goldenFault() *hook.Fault {
	return &hook.Fault{
		Kind: hook.KindInvalid, Message: "m", Violations: []hook.Violation{{Pointer: "/a", Code: "missing"}},
		Status: 503, Attempt: 1, RetryAfter: 2, Time: time.Unix(3, 0).UTC(), First: time.Unix(4, 5).UTC(),
	}
}

func TestWhatIsNotAnEnvelopeIsRefused(t *testing.T) {
	good, err := appendEnvelope(nil, time.Unix(1, 0), &hook.Event{ID: "i", Header: map[string]string{"a": "1", "b": "2"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, with string) []byte {
		if bytes.Count(good, []byte(old)) != 1 {
			t.Fatalf("%q is not there once", old)
		}
		return bytes.Replace(good, []byte(old), []byte(with), 1)
	}
	for name, b := range map[string][]byte{
		"nothing":                       nil,
		"a newer version":               append([]byte{2}, good[1:]...),
		"unknown flags":                 append([]byte{1, 4}, good[2:]...),
		"a route that is not there":     append([]byte{1, 2}, good[2:]...),
		"a route with nothing in it":    append(append([]byte{1, 2}, good[2:len(good)-1]...), 0, 0, 0),
		"an empty ID":                   append(bytes.Clone(good[:4]), append([]byte{0}, good[6:]...)...),
		"a length in more bytes":        change("\x01i", "\x81\x00i"),
		"a length beyond the end":       change("\x01i", "\xff\xff\xff\xff\x0fi"),
		"a length that overflows":       change("\x01i", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01i"),
		"names that do not ascend":      change("\x01a\x011\x01b\x012", "\x01b\x012\x01a\x011"),
		"a name twice":                  change("\x01b\x012", "\x01a\x012"),
		"more names than there is room": change("\x02\x01a", "\x7f\x01a"),
	} {
		if _, err := decodeEnvelope(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAnEventThatCannotBeKeptIsRefused(t *testing.T) {
	for name, change := range map[string]func(*hook.Event){
		"no ID":                    func(ev *hook.Event) { ev.ID = "" },
		"an ID that is too long":   func(ev *hook.Event) { ev.ID = strings.Repeat("i", 256) },
		"a negative number":        func(ev *hook.Event) { ev.Attempt = -1 },
		"a body over 64 MiB":       func(ev *hook.Event) { ev.Body = make([]byte, maxEnvelope+1) },
		"an envelope over 64 MiB":  func(ev *hook.Event) { ev.Body = make([]byte, maxEnvelope) },
		"a time that JSON has not": func(ev *hook.Event) { ev.ReceivedAt = time.Unix(maxSeconds+1, 0) },
		"a time before the year 1": func(ev *hook.Event) { ev.ReceivedAt = time.Unix(minSeconds-1, 0) },
	} {
		ev := fullEvent()
		change(ev)
		b, err := appendEnvelope([]byte("kept"), time.Unix(1, 0), ev, nil)
		if err == nil || string(b) != "kept" {
			t.Errorf("%s: %v, %d bytes", name, err, len(b))
		} else if strings.Contains(err.Error(), "evt_1") {
			t.Errorf("%s: the error has the ID: %v", name, err)
		}
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	for _, e := range envelopes(f) {
		b, err := appendEnvelope(nil, e.At, e.Event, e.Fault)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{})
	f.Add([]byte{envelopeVersion, flagFault})
	f.Add([]byte{envelopeVersion, flagFault | flagRoute})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEnvelope(b)
		if err != nil {
			return
		}
		again, err := appendEnvelope(nil, e.At, e.Event, e.Fault)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("two forms of one event:\n%q\n%q", b, again)
		}
	})
}
