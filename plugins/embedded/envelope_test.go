package embedded

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

func full() (*hook.Event, *hook.Fault) {
	return &hook.Event{
		ID: "id", Hook: "h", RoutingKey: "k", Contract: "c/1", ContentType: "application/json", Body: []byte("{}\x00\xff"),
		Fingerprint: fingerprint("fp"), ReceivedAt: time.Unix(1, 2).UTC(), ClientIP: netip.MustParseAddr("2001:db8::1"),
		Header: map[string]string{"traceparent": "x", "unverified": "true"}, Attempt: 3, Replay: 2,
	}, &hook.Fault{
		Kind: hook.KindConflict, Message: "m", Violations: []hook.Violation{{Pointer: "/a", Code: "b"}, {Code: "c"}},
		Status: 503, RetryAfter: time.Second, Attempt: 4, Time: time.Unix(5, 6).UTC(), First: time.Unix(7, 8).UTC(),
	}
}

func TestAnEnvelopeKeepsAll(t *testing.T) {
	ev, f := full()
	for name, want := range map[string]*hook.Fault{"event": nil, "dead letter": f} {
		got, gotFault, err := decodeEnvelope(encodeEnvelope(ev, want))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(ev, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(want, gotFault); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestADamagedEnvelopeIsAnError(t *testing.T) {
	whole := encodeEnvelope(full())
	for n := range whole {
		if _, _, err := decodeEnvelope(whole[:n]); err == nil {
			t.Errorf("the first %d bytes were taken for an envelope", n)
		}
	}
	if _, _, err := decodeEnvelope(append(whole, 0)); err == nil {
		t.Error("an envelope with a byte too many was taken")
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(encodeEnvelope(full()))
	f.Add(encodeEnvelope(&hook.Event{}, nil))
	f.Add([]byte{envelopeVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, fault, err := decodeEnvelope(b)
		if err != nil {
			return
		}
		again, _, err := decodeEnvelope(encodeEnvelope(ev, fault))
		if err != nil || again.ID != ev.ID || string(again.Body) != string(ev.Body) {
			t.Errorf("what was read cannot be written and read again: %v", err)
		}
	})
}
