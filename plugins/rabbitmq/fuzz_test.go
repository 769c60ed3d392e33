package rabbitmq

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// Whoever may write to a queue may put anything into it: each message has an
// event that can be shown, and one that can be sent again is the same then.
func FuzzDecode(f *testing.F) {
	f.Add("evt_1", "pe-action-map", "2026-05-14T18:32:11.45Z", "192.0.2.7", "00", "invalid", `[{"pointer":"/a","code":"missing"}]`, "rejected", int64(1), int64(2), []byte("{}"))
	f.Add("", "\xff", "9999-99-99", "::ffff:1.2.3.4", "zz", "", "[", "delivery_limit", int64(-1), int64(1)<<40, []byte(nil))
	f.Add("x", "h", "0000-01-01T00:00:00+23:59", "fe80::1%eth0", "", "poison", `{"a":1}`, "", int64(-1)<<63, int64(1)<<62, []byte("\xff"))
	f.Fuzz(func(t *testing.T, id, hookName, received, ip, fp, kind, violations, reason string, attempt, replay int64, body []byte) {
		if max(len(id), len(hookName), len(kind), len(reason)) > maxShort {
			return // no short string of AMQP
		}
		d := &amqp.Delivery{
			MessageId: id, RoutingKey: hookName, Type: kind, ContentType: reason, Body: body, Timestamp: time.Unix(attempt, 0),
			Headers: amqp.Table{
				headerHook: hookName, headerReceivedAt: received, headerClientIP: ip, headerFingerprint: fp,
				headerAttempt: attempt, headerReplay: replay, headerFaultKind: kind, headerFaultMessage: reason,
				headerFaultStatus: replay, headerFaultTime: received, headerFaultFirst: received, headerFaultViolations: violations,
				"x-delivery-count": replay, hook.HeaderTraceparent: reason,
				"x-death": []any{amqp.Table{"reason": reason, "queue": hookName, "count": attempt, "time": time.Unix(replay, 0)}},
			},
		}
		ev, fault := decode(d)
		if ev.Attempt < 0 || ev.Replay < 0 || !utf8.ValidString(ev.Hook) || !bytes.Equal(ev.Body, body) {
			t.Fatalf("the event %+v", ev)
		}
		if fault == nil || !utf8.ValidString(fault.Message) || fault.Attempt < 0 || fault.Status < 0 {
			t.Fatalf("the fault %+v", fault)
		}
		if n := newDelivery(nil, d).Redeliveries(); n < 0 {
			t.Fatalf("%d redeliveries", n)
		}
		msg, err := deadLetter(ev, fault, d.Exchange, d.RoutingKey)
		if err != nil {
			return
		}
		if err := msg.Headers.Validate(); err != nil {
			t.Fatal(err)
		}
		again, faultAgain := decode(delivered(msg, d.Exchange, d.RoutingKey))
		if diff := cmp.Diff(ev, again, equalEvents...); diff != "" {
			t.Fatalf("it is another one when it comes again: -first +then:\n%s", diff)
		}
		if diff := cmp.Diff(fault, faultAgain, equalEvents...); diff != "" {
			t.Fatalf("its fault is another one: -first +then:\n%s", diff)
		}
	})
}

// No ID and no payload is read in another way by who takes the task.
func FuzzCeleryTask(f *testing.F) {
	for _, body := range []string{`{}`, ` {"a":1e400} `, `{"close":"]]}"}`, `{}]`, `{},{}`, `"\u2028"`, "null", "\xff", `{"a":1,"a":2}`} {
		f.Add("evt_1", []byte(body))
		f.Add("\"\\\x00\u2028", []byte(body))
	}
	f.Fuzz(func(t *testing.T, id string, body []byte) {
		got, err := message(task(id, string(body)))
		if err != nil {
			if json.Valid(body) && id != "" && len(id) <= maxShort {
				t.Fatalf("%q is refused: %v", body, err)
			}
			return
		}
		var parts []json.RawMessage
		if err := json.Unmarshal(got.Body, &parts); err != nil || len(parts) != 3 {
			t.Fatalf("%d parts in %q: %v", len(parts), got.Body, err)
		}
		var args []json.RawMessage
		if err := json.Unmarshal(parts[0], &args); err != nil || len(args) != 2 || !bytes.Equal(args[0], bytes.Trim(body, " \t\r\n")) {
			t.Fatalf("%q became %q: %v", body, args, err)
		}
		var theirs string
		if err := json.Unmarshal(args[1], &theirs); err != nil || utf8.ValidString(id) && theirs != id {
			t.Fatalf("the ID %q became %q: %v", id, theirs, err)
		}
	})
}
