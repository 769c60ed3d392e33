package rabbitmq

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// The headers of a message. What is zero is left out.
const (
	headerPrefix      = "x-hookgate-"
	headerHook        = headerPrefix + "hook"
	headerReceivedAt  = headerPrefix + "received-at" // RFC 3339, UTC
	headerClientIP    = headerPrefix + "client-ip"
	headerFingerprint = headerPrefix + "fingerprint" // hexadecimal
	headerAttempt     = headerPrefix + "attempt"
	headerReplay      = headerPrefix + "replay"
	headerPublish     = headerPrefix + "publish" // unique, to match what the server returns
	headerTask        = headerPrefix + "task"    // on the dead letter of a Celery task

	headerFaultKind       = headerPrefix + "fault-kind"
	headerFaultMessage    = headerPrefix + "fault-message"
	headerFaultStatus     = headerPrefix + "fault-status"
	headerFaultTime       = headerPrefix + "fault-time"
	headerFaultFirst      = headerPrefix + "fault-first"
	headerFaultViolations = headerPrefix + "fault-violations" // JSON
	headerOriginExchange  = headerPrefix + "origin-exchange"
	headerOriginKey       = headerPrefix + "origin-routing-key"
)

// appID is the app_id of every message.
const appID = "hookgate"

// maxShort is how many bytes an AMQP short string has at most. The library
// finds a longer one in the middle of a frame, which ends the connection.
const maxShort = 255

// Why an event cannot be a message. The texts have none of its content.
var (
	errID       = errors.New("rabbitmq: the event ID is empty or longer than 255 bytes")
	errKey      = errors.New("rabbitmq: the routing key or the name of the queue is longer than 255 bytes")
	errContract = errors.New("rabbitmq: the name of the contract is longer than 255 bytes")
)

// message returns an event as its consumer gets it.
func message(ev *hook.Event) (amqp.Publishing, error) { return messageIn(make(amqp.Table), ev) }

// messageIn is message with a table for the headers, which is empty.
func messageIn(h amqp.Table, ev *hook.Event) (amqp.Publishing, error) {
	if ev.Task != "" {
		return celeryTask(h, ev)
	}
	return plainIn(h, ev)
}

// plain returns an event as it is.
func plain(ev *hook.Event) (amqp.Publishing, error) { return plainIn(make(amqp.Table), ev) }

// plainIn is plain with a table for the headers, which is empty.
func plainIn(h amqp.Table, ev *hook.Event) (amqp.Publishing, error) {
	switch {
	case ev.ID == "" || len(ev.ID) > maxShort:
		return amqp.Publishing{}, errID
	case len(routingKey(ev)) > maxShort || len(ev.Queue) > maxShort:
		return amqp.Publishing{}, errKey
	case len(ev.Contract) > maxShort:
		return amqp.Publishing{}, errContract
	}
	addEvent(h, ev)
	return amqp.Publishing{
		MessageId:    ev.ID,
		Type:         ev.Contract,
		AppId:        appID,
		ContentType:  mediaType(ev.ContentType),
		DeliveryMode: amqp.Persistent,
		Timestamp:    ev.ReceivedAt,
		Headers:      h,
		Body:         ev.Body,
	}, nil
}

// mediaType returns a Content-Type that fits, without its parameters where they
// are what is too long. It is the sender's, and no reason to refuse the event.
func mediaType(s string) string {
	if len(s) <= maxShort {
		return s
	}
	s, _, _ = strings.Cut(s, ";")
	if s = strings.TrimSpace(s); len(s) <= maxShort {
		return s
	}
	return "application/octet-stream"
}

func addEvent(h amqp.Table, ev *hook.Event) {
	// One text with all that is written out, of which the values are parts.
	var room [144]byte
	b := ev.ReceivedAt.UTC().AppendFormat(room[:0], time.RFC3339Nano)
	at := len(b)
	b = hex.AppendEncode(b, ev.Fingerprint[:])
	fingerprint := len(b)
	if ev.ClientIP.IsValid() {
		b = ev.ClientIP.AppendTo(b)
	}
	text := string(b)

	h[headerHook] = ev.Hook
	h[headerReceivedAt] = text[:at]
	h[headerFingerprint] = text[at:fingerprint]
	if ip := text[fingerprint:]; ip != "" {
		h[headerClientIP] = ip
	}
	if ev.Attempt != 0 {
		h[headerAttempt] = int64(ev.Attempt)
	}
	if ev.Replay != 0 {
		h[headerReplay] = int64(ev.Replay)
	}
	for name, value := range ev.Header {
		h[wireHeader(name)] = value
	}
}

// wireHeader returns the name of a header of an event. Those of W3C Trace
// Context keep theirs, for the tools that know them.
func wireHeader(name string) string {
	if name == hook.HeaderTraceparent || name == hook.HeaderTracestate {
		return name
	}
	return headerPrefix + name
}

// deadLetter returns an event with its fault, and where it was to go.
func deadLetter(ev *hook.Event, f *hook.Fault, exchange, key string) (amqp.Publishing, error) {
	msg, err := plain(ev)
	if err != nil {
		return msg, err
	}
	h := msg.Headers
	addFault(h, f)
	h[headerOriginExchange] = exchange
	h[headerOriginKey] = key
	if ev.Task != "" {
		h[headerTask] = ev.Task
	}
	return msg, nil
}

func addFault(h amqp.Table, f *hook.Fault) {
	h[headerFaultKind] = string(f.Kind)
	h[headerFaultMessage] = f.Message
	h[headerFaultTime] = f.Time.UTC().Format(time.RFC3339Nano)
	h[headerFaultFirst] = f.First.UTC().Format(time.RFC3339Nano)
	if f.Status != 0 {
		h[headerFaultStatus] = int64(f.Status)
	}
	if len(f.Violations) > 0 {
		list, _ := json.Marshal(f.Violations) // two strings each: it cannot fail
		h[headerFaultViolations] = string(list)
	}
}

// decode reads a message that Hookgate has published. Another program's has an
// event with what can be told of it.
func decode(d *amqp.Delivery) (*hook.Event, *hook.Fault) {
	h := d.Headers
	ev := &hook.Event{
		ID:          d.MessageId,
		Hook:        text(h, headerHook),
		RoutingKey:  originOf(d).key,
		Contract:    d.Type,
		ContentType: d.ContentType,
		Body:        d.Body,
		ReceivedAt:  moment(h, headerReceivedAt, d.Timestamp),
		Attempt:     number(h, headerAttempt),
		Replay:      number(h, headerReplay),
		Task:        text(h, headerTask),
		Header:      eventHeader(h),
	}
	if ip, err := netip.ParseAddr(text(h, headerClientIP)); err == nil {
		ev.ClientIP = ip
	}
	if fp, err := hex.DecodeString(text(h, headerFingerprint)); err == nil && len(fp) == len(ev.Fingerprint) {
		copy(ev.Fingerprint[:], fp)
	}
	return ev, decodeFault(d)
}

// decodeFault returns the fault of a dead letter, and nil for other messages.
// The server's own dead letters have none: theirs is told from x-death.
func decodeFault(d *amqp.Delivery) *hook.Fault {
	h := d.Headers
	kind := text(h, headerFaultKind)
	if kind == "" {
		return serverFault(h)
	}
	f := &hook.Fault{
		Kind:    hook.Kind(kind),
		Message: text(h, headerFaultMessage),
		Status:  number(h, headerFaultStatus),
		Attempt: number(h, headerAttempt),
		Time:    moment(h, headerFaultTime, time.Time{}),
		First:   moment(h, headerFaultFirst, time.Time{}),
	}
	if list := text(h, headerFaultViolations); list != "" {
		_ = json.Unmarshal([]byte(list), &f.Violations) // what cannot be read is not shown
	}
	return f
}

// serverFault reads x-death (https://www.rabbitmq.com/docs/dlx#effects).
func serverFault(h amqp.Table) *hook.Fault {
	deaths, _ := h["x-death"].([]any)
	if len(deaths) == 0 {
		return nil
	}
	last, _ := deaths[0].(amqp.Table)
	reason := text(last, "reason")
	f := &hook.Fault{
		Kind:    hook.KindExhausted,
		Message: fmt.Sprintf("the server gave it up: %s in the queue %s", reason, text(last, "queue")),
		Attempt: number(h, headerAttempt),
	}
	if reason == "delivery_limit" {
		f.Kind = hook.KindPoison
	}
	if at, ok := last["time"].(time.Time); ok && writable(at.UTC()) {
		f.Time, f.First = at.UTC(), at.UTC()
	}
	return f
}

// eventHeader returns the headers of the closed set of hook.Event.
func eventHeader(h amqp.Table) map[string]string {
	var out map[string]string
	for _, name := range hook.HeaderNames() {
		if v := text(h, wireHeader(name)); v != "" {
			if out == nil {
				out = make(map[string]string)
			}
			out[name] = v
		}
	}
	return out
}

func text(h amqp.Table, name string) string {
	s, _ := h[name].(string)
	return strings.ToValidUTF8(s, "\uFFFD")
}

// number reads a count of any of the widths that clients write, and 0 where
// there is none: whoever writes to a queue may put anything there.
func number(h amqp.Table, name string) int {
	var n int64
	switch v := h[name].(type) {
	case int64:
		n = v
	case int32:
		n = int64(v)
	case int16:
		n = int64(v)
	case int:
		n = int64(v)
	}
	if n < 0 || n > math.MaxInt32 {
		return 0
	}
	return int(n)
}

// moment reads a time, in UTC. One before the year 1 or after 9999 has no form in
// which it could be written again, and is none.
func moment(h amqp.Table, name string, otherwise time.Time) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text(h, name))
	if t = t.UTC(); err != nil || !writable(t) {
		t = otherwise.UTC()
	}
	if !writable(t) {
		return time.Time{}
	}
	return t
}

func writable(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
