package embedded

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// An envelope is an event as the file has it:
//
//	version (1 byte), flags (1 byte: 1 for a fault, 2 for a queue or a task)
//	time it came in
//	ID, hook, routing key, contract, content type (strings)
//	fingerprint (32 bytes), time received, client IP (string: netip's binary form)
//	attempt, replay (uvarint)
//	header: number, then names and values (strings), names ascending
//	with a queue or a task: queue, task (strings)
//	with a fault: kind, message (strings); violations: number, then pointers
//	    and codes (strings); status, attempt (uvarint); retry after (varint,
//	    nanoseconds); time, first time
//	body (string)
//
// A string is its length (uvarint) and its bytes; a time is Unix seconds
// (varint) and nanoseconds (uvarint). There is one form for each event:
// decoding accepts nothing else.
const (
	envelopeVersion = 1
	flagFault       = 1
	flagRoute       = 2 // files from before there were queues and tasks do not have it
)

// maxEnvelope is the largest envelope, in bytes.
const maxEnvelope = 64 << 20

// Why an event cannot be kept. The texts have none of its content.
var (
	errID       = errors.New("embedded: the event ID is empty or too long")
	errTooLarge = errors.New("embedded: the event is larger than 64 MiB")
	errNumber   = errors.New("embedded: a number of the event is out of range")
)

// appendEnvelope appends the envelope of an event, with a fault for a dead
// letter, to b.
func appendEnvelope(b []byte, at time.Time, ev *hook.Event, f *hook.Fault) ([]byte, error) {
	if ev.ID == "" || len(ev.ID) > hook.MaxIDLength {
		return b, errID
	}
	if len(ev.Body) > maxEnvelope {
		return b, errTooLarge
	}
	e := encoder{b: b}
	start := len(b)
	flags := byte(0)
	if f != nil {
		flags |= flagFault
	}
	if hasRoute(ev) {
		flags |= flagRoute
	}
	e.b = append(e.b, envelopeVersion, flags)
	e.time(at)
	for _, s := range []string{ev.ID, ev.Hook, ev.RoutingKey, ev.Contract, ev.ContentType} {
		e.string(s)
	}
	e.b = append(e.b, ev.Fingerprint[:]...)
	e.time(ev.ReceivedAt)
	ip, _ := ev.ClientIP.MarshalBinary() // has no error
	e.bytes(ip)
	e.count(ev.Attempt)
	e.count(ev.Replay)
	e.count(len(ev.Header))
	for _, name := range slices.Sorted(maps.Keys(ev.Header)) {
		e.string(name)
		e.string(ev.Header[name])
	}
	if hasRoute(ev) {
		e.string(ev.Queue)
		e.string(ev.Task)
	}
	if f != nil {
		e.fault(f)
	}
	e.bytes(ev.Body)
	if e.err == nil && len(e.b)-start > maxEnvelope {
		e.err = errTooLarge
	}
	if e.err != nil {
		return b, e.err
	}
	return e.b, nil
}

// hasRoute reports whether an event names where it goes beside its routing key.
func hasRoute(ev *hook.Event) bool { return ev.Queue != "" || ev.Task != "" }

// encoder appends values to b and keeps the first error.
type encoder struct {
	b   []byte
	err error
}

func (e *encoder) fault(f *hook.Fault) {
	e.string(string(f.Kind))
	e.string(f.Message)
	e.count(len(f.Violations))
	for _, v := range f.Violations {
		e.string(v.Pointer)
		e.string(v.Code)
	}
	e.count(f.Status)
	e.count(f.Attempt)
	e.b = binary.AppendVarint(e.b, int64(f.RetryAfter))
	e.time(f.Time)
	e.time(f.First)
}

func (e *encoder) string(s string) {
	e.b = binary.AppendUvarint(e.b, uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) bytes(s []byte) {
	e.b = binary.AppendUvarint(e.b, uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) count(n int) {
	if n < 0 || n > math.MaxInt32 {
		e.err = errNumber
		return
	}
	e.b = binary.AppendUvarint(e.b, uint64(n))
}

// The years 1 to 9999, which JSON can write, in Unix seconds.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

func (e *encoder) time(t time.Time) {
	s := t.Unix()
	if s < minSeconds || s > maxSeconds {
		e.err = errNumber
		return
	}
	e.b = binary.AppendVarint(e.b, s)
	e.b = binary.AppendUvarint(e.b, uint64(t.Nanosecond()))
}
