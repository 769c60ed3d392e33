package embedded

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// An envelope is an event, and its fault if it is a dead letter, as bytes: the
// version of the form, and then the fields in a fixed order. Text and bytes
// come after their length, numbers as varints, times as Unix nanoseconds.

const envelopeVersion = 1

var errEnvelope = errors.New("embedded: an event is damaged")

func encodeEnvelope(ev *hook.Event, f *hook.Fault) []byte {
	b := make([]byte, 0, 256+len(ev.Body))
	b = append(b, envelopeVersion)
	for _, s := range []string{ev.ID, ev.Hook, ev.RoutingKey, ev.Contract, ev.ContentType} {
		b = appendText(b, s)
	}
	b = appendText(b, ev.Body)
	b = append(b, ev.Fingerprint[:]...)
	b = appendTime(b, ev.ReceivedAt)
	b = appendText(b, ev.ClientIP.AsSlice())
	b = binary.AppendUvarint(b, uint64(len(ev.Header)))
	for name, value := range ev.Header {
		b = appendText(b, name)
		b = appendText(b, value)
	}
	b = binary.AppendVarint(b, int64(ev.Attempt))
	b = binary.AppendVarint(b, int64(ev.Replay))
	if f == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	b = appendText(b, string(f.Kind))
	b = appendText(b, f.Message)
	b = binary.AppendUvarint(b, uint64(len(f.Violations)))
	for _, v := range f.Violations {
		b = appendText(b, v.Pointer)
		b = appendText(b, v.Code)
	}
	b = binary.AppendVarint(b, int64(f.Status))
	b = binary.AppendVarint(b, int64(f.RetryAfter))
	b = binary.AppendVarint(b, int64(f.Attempt))
	b = appendTime(b, f.Time)
	return appendTime(b, f.First)
}

func appendText[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendTime writes the zero time as 0, which no event has.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixNano())
}

// decodeEnvelope reads what encodeEnvelope wrote, and nothing else. It copies.
func decodeEnvelope(b []byte) (*hook.Event, *hook.Fault, error) {
	r := &reader{b: b}
	if r.byte() != envelopeVersion {
		return nil, nil, errEnvelope
	}
	ev := new(hook.Event)
	for _, p := range []*string{&ev.ID, &ev.Hook, &ev.RoutingKey, &ev.Contract, &ev.ContentType} {
		*p = string(r.text())
	}
	ev.Body = append([]byte(nil), r.text()...)
	copy(ev.Fingerprint[:], r.take(uint64(len(ev.Fingerprint))))
	ev.ReceivedAt = r.time()
	if addr := r.text(); len(addr) > 0 {
		ip, ok := netip.AddrFromSlice(addr)
		r.failed = r.failed || !ok
		ev.ClientIP = ip
	}
	for range r.count() {
		if ev.Header == nil {
			ev.Header = make(map[string]string)
		}
		name := string(r.text())
		ev.Header[name] = string(r.text())
	}
	ev.Attempt, ev.Replay = int(r.varint()), int(r.varint())

	var f *hook.Fault
	switch r.byte() {
	case 0:
	case 1:
		f = &hook.Fault{Kind: hook.Kind(r.text()), Message: string(r.text())}
		for range r.count() {
			f.Violations = append(f.Violations, hook.Violation{Pointer: string(r.text()), Code: string(r.text())})
		}
		f.Status, f.RetryAfter, f.Attempt = int(r.varint()), time.Duration(r.varint()), int(r.varint())
		f.Time, f.First = r.time(), r.time()
	default:
		r.failed = true
	}
	if r.failed || len(r.b) > 0 {
		return nil, nil, errEnvelope
	}
	return ev, f, nil
}

// reader reads fields, and remembers that one was not there.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.failed, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() []byte { return r.take(r.uvarint()) }

// count returns a number of things of which each takes a byte at least.
func (r *reader) count() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.failed, r.b = true, nil
		return 0
	}
	return n
}

func (r *reader) time() time.Time {
	if v := r.varint(); v != 0 {
		return time.Unix(0, v).UTC()
	}
	return time.Time{}
}
