package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// errEnvelope means that bytes are not an envelope.
var errEnvelope = errors.New("the envelope is damaged")

// decodeEnvelope reads an envelope. It copies what it returns, and accepts
// only what appendEnvelope writes. Times are in UTC.
func decodeEnvelope(b []byte) (hook.Entry, error) {
	if len(b) < 2 {
		return hook.Entry{}, errEnvelope
	}
	if b[0] != envelopeVersion {
		return hook.Entry{}, fmt.Errorf("%w: version %d", errEnvelope, b[0])
	}
	if b[1]&^(flagFault|flagRoute) != 0 {
		return hook.Entry{}, fmt.Errorf("%w: flags %d", errEnvelope, b[1])
	}
	d := decoder{b: b[2:]}
	e := hook.Entry{At: d.time()}
	ev := &hook.Event{
		ID:          d.string(),
		Hook:        d.string(),
		RoutingKey:  d.string(),
		Contract:    d.string(),
		ContentType: d.string(),
	}
	copy(ev.Fingerprint[:], d.take(uint64(len(ev.Fingerprint))))
	ev.ReceivedAt = d.time()
	ev.ClientIP = d.addr()
	ev.Attempt = d.count()
	ev.Replay = d.count()
	ev.Header = d.header()
	if b[1]&flagRoute != 0 {
		if ev.Queue, ev.Task = d.string(), d.string(); !hasRoute(ev) {
			d.fail() // the flag would be a second form
		}
	}
	if b[1]&flagFault != 0 {
		e.Fault = d.fault()
	}
	ev.Body = append([]byte(nil), d.bytes()...)
	if d.bad || len(d.b) > 0 || ev.ID == "" || len(ev.ID) > hook.MaxIDLength {
		return hook.Entry{}, errEnvelope
	}
	e.Event = ev
	return e, nil
}

// decoder takes values from the front of b. After the first that is not there
// or not in its one form all are zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 { // the last byte of a longer form
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// varint reads the zigzag form of encoding/binary.
func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) bytes() []byte  { return d.take(d.uvarint()) }
func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) count() int {
	n := d.uvarint()
	if n > math.MaxInt32 {
		d.fail()
		return 0
	}
	return int(n)
}

// pairs reads how many pairs of strings follow. Each has two bytes at least:
// a damaged number must not make us ask for all memory.
func (d *decoder) pairs() int {
	n := d.count()
	if n > len(d.b)/2 {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) time() time.Time {
	s, ns := d.varint(), d.uvarint()
	if s < minSeconds || s > maxSeconds || ns >= uint64(time.Second) {
		d.fail()
		return time.Time{}
	}
	return time.Unix(s, int64(ns)).UTC()
}

func (d *decoder) addr() (ip netip.Addr) {
	raw := d.bytes()
	if err := ip.UnmarshalBinary(raw); err != nil {
		d.fail()
		return netip.Addr{}
	}
	return ip
}

func (d *decoder) header() map[string]string {
	n := d.pairs()
	if n == 0 {
		return nil
	}
	h := make(map[string]string, n)
	last := ""
	for i := range n {
		name, value := d.string(), d.string()
		if i > 0 && name <= last {
			d.fail()
			return nil
		}
		h[name], last = value, name
	}
	return h
}

func (d *decoder) fault() *hook.Fault {
	f := &hook.Fault{Kind: hook.Kind(d.string()), Message: d.string()}
	if n := d.pairs(); n > 0 {
		f.Violations = make([]hook.Violation, n)
		for i := range f.Violations {
			f.Violations[i] = hook.Violation{Pointer: d.string(), Code: d.string()}
		}
	}
	f.Status = d.count()
	f.Attempt = d.count()
	f.RetryAfter = time.Duration(d.varint())
	f.Time = d.time()
	f.First = d.time()
	return f
}
