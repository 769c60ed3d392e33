package rabbitmq

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// delivered returns a message as its consumer gets it.
func delivered(p amqp.Publishing, exchange, key string) *amqp.Delivery {
	return &amqp.Delivery{
		Headers: p.Headers, MessageId: p.MessageId, Type: p.Type, AppId: p.AppId, ContentType: p.ContentType,
		DeliveryMode: p.DeliveryMode, Timestamp: p.Timestamp.Truncate(time.Second), Body: p.Body, Exchange: exchange, RoutingKey: key,
	}
}

var (
	anyShort  = rapid.StringN(1, -1, maxShort)
	anyMoment = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
	})
	anyEvent = rapid.Custom(func(t *rapid.T) *hook.Event {
		ev := &hook.Event{
			ID:          anyShort.Draw(t, "id"),
			Hook:        rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,63}`).Draw(t, "hook"),
			RoutingKey:  anyShort.Draw(t, "key"),
			Contract:    rapid.StringN(0, -1, maxShort).Draw(t, "contract"),
			ContentType: rapid.StringN(0, -1, maxShort).Draw(t, "media type"),
			Body:        rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
			ReceivedAt:  anyMoment.Draw(t, "received"),
			Attempt:     rapid.IntRange(0, 1000).Draw(t, "attempt"),
			Replay:      rapid.IntRange(0, 1000).Draw(t, "replay"),
		}
		for i := range ev.Fingerprint {
			ev.Fingerprint[i] = rapid.Byte().Draw(t, "fingerprint")
		}
		if rapid.Bool().Draw(t, "has IP") {
			ev.ClientIP = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip")))
		}
		for _, name := range hook.HeaderNames() {
			if rapid.Bool().Draw(t, name) {
				if ev.Header == nil {
					ev.Header = make(map[string]string)
				}
				ev.Header[name] = rapid.StringN(1, -1, 600).Draw(t, name)
			}
		}
		return ev
	})
)

var equalEvents = []cmp.Option{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

func TestAnEventIsTheSameAfterItsWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ev := anyEvent.Draw(t, "event")
		p, err := message(ev)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Headers.Validate(); err != nil {
			t.Fatal(err)
		}
		got, fault := decode(delivered(p, "hookgate", ev.RoutingKey))
		if diff := cmp.Diff(ev, got, equalEvents...); diff != "" || fault != nil {
			t.Fatalf("fault %v, -sent +got:\n%s", fault, diff)
		}
	})
}

func TestADeadLetterIsTheSameAfterItsWay(t *testing.T) {
	kinds := []hook.Kind{hook.KindInvalid, hook.KindConflict, hook.KindPermanent, hook.KindExhausted, hook.KindPoison}
	rapid.Check(t, func(t *rapid.T) {
		ev := anyEvent.Draw(t, "event")
		ev.Task = rapid.SampledFrom([]string{"", "app.tasks.take"}).Draw(t, "task")
		f := &hook.Fault{
			Kind:    rapid.SampledFrom(kinds).Draw(t, "kind"),
			Message: rapid.String().Draw(t, "message"),
			Status:  rapid.IntRange(0, 599).Draw(t, "status"),
			Attempt: ev.Attempt, // it is the event's
			Time:    anyMoment.Draw(t, "time"),
			First:   anyMoment.Draw(t, "first"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "violations") {
			f.Violations = append(f.Violations, hook.Violation{Pointer: rapid.String().Draw(t, "pointer"), Code: rapid.String().Draw(t, "code")})
		}
		p, err := deadLetter(ev, f, "hookgate", ev.RoutingKey)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Headers.Validate(); err != nil {
			t.Fatal(err)
		}
		got, gotFault := decode(delivered(p, "hookgate.dlx", ev.RoutingKey))
		if diff := cmp.Diff(ev, got, equalEvents...); diff != "" {
			t.Fatalf("-sent +got:\n%s", diff)
		}
		if diff := cmp.Diff(f, gotFault, equalEvents...); diff != "" {
			t.Fatalf("-sent +got:\n%s", diff)
		}
	})
}

// Consumers, and docs/servers.md, know these headers and no others.
func TestTheHeadersAreAClosedSet(t *testing.T) {
	ev := sample("evt_1")
	ev.Attempt, ev.Replay, ev.Task, ev.Queue = 1, 1, "app.tasks.take", "celery"
	for _, name := range hook.HeaderNames() {
		ev.Header[name] = "x"
	}
	common := []string{
		"traceparent", "tracestate", "x-hookgate-attempt", "x-hookgate-client-ip", "x-hookgate-drift", "x-hookgate-fingerprint",
		"x-hookgate-hook", "x-hookgate-received-at", "x-hookgate-replaces", "x-hookgate-replay",
		"x-hookgate-unverified",
	}
	letter := append([]string{
		"x-hookgate-fault-first", "x-hookgate-fault-kind", "x-hookgate-fault-message", "x-hookgate-fault-status",
		"x-hookgate-fault-time", "x-hookgate-fault-violations", "x-hookgate-origin-exchange", "x-hookgate-origin-routing-key",
		"x-hookgate-task",
	}, common...)
	celery := append([]string{"argsrepr", "group", "id", "kwargsrepr", "lang", "origin", "parent_id", "root_id", "task"}, common...)

	raw := *ev
	raw.Task, raw.Queue = "", ""
	fault := &hook.Fault{Kind: hook.KindInvalid, Message: "m", Status: 422, Violations: []hook.Violation{{Pointer: "/a", Code: "missing"}}}
	for name, test := range map[string]struct {
		make func() (amqp.Publishing, error)
		want []string
	}{
		"an event":       {func() (amqp.Publishing, error) { return message(&raw) }, common},
		"a dead letter":  {func() (amqp.Publishing, error) { return deadLetter(ev, fault, "e", "k") }, letter},
		"a Celery task":  {func() (amqp.Publishing, error) { return message(ev) }, celery},
		"the least":      {func() (amqp.Publishing, error) { return message(&hook.Event{ID: "i", Hook: "h"}) }, []string{"x-hookgate-fingerprint", "x-hookgate-hook", "x-hookgate-received-at"}},
		"another header": {func() (amqp.Publishing, error) { return foreign(ev) }, common},
	} {
		p, err := test.make()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(test.want)), slices.Sorted(maps.Keys(p.Headers))); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// foreign returns an event again that has come with headers of another program.
func foreign(ev *hook.Event) (amqp.Publishing, error) {
	p, err := plain(ev)
	if err != nil {
		return p, err
	}
	for _, name := range []string{"x-death", "x-delivery-count", "x-first-death-queue", "x-hookgate-other", "authorization"} {
		p.Headers[name] = "x"
	}
	back, _ := decode(delivered(p, "hookgate", "k"))
	return message(back)
}

func TestShortStringsHaveTheirBoundInBytes(t *testing.T) {
	long, umlauts := strings.Repeat("x", 255), strings.Repeat("ü", 127)+"x"
	for name, set := range map[string]struct {
		field func(*hook.Event, string)
		want  error
	}{
		"the ID":          {func(ev *hook.Event, s string) { ev.ID = s }, errID},
		"the routing key": {func(ev *hook.Event, s string) { ev.RoutingKey = s }, errKey},
		"the queue":       {func(ev *hook.Event, s string) { ev.Queue = s }, errKey},
		"the contract":    {func(ev *hook.Event, s string) { ev.Contract = s }, errContract},
	} {
		for _, fits := range []string{long, umlauts} {
			ev := sample("evt_1")
			set.field(ev, fits)
			if _, err := message(ev); err != nil {
				t.Errorf("%s of 255 bytes: %v", name, err)
			}
			ev = sample("evt_1")
			set.field(ev, fits+"x")
			if _, err := message(ev); !errors.Is(err, set.want) {
				t.Errorf("%s of 256 bytes: %v", name, err)
			}
			if _, err := deadLetter(ev, new(hook.Fault), "e", "k"); !errors.Is(err, set.want) {
				t.Errorf("%s of 256 bytes in a dead letter: %v", name, err)
			}
		}
	}
	hookAlone := &hook.Event{ID: "i", Hook: strings.Repeat("x", 256)} // its routing key where none is set
	if _, err := message(hookAlone); !errors.Is(err, errKey) {
		t.Errorf("a hook as routing key: %v", err)
	}
}

func TestNumbersAreReadInEveryWidth(t *testing.T) {
	for name, v := range map[string]any{"int": 7, "int16": int16(7), "int32": int32(7), "int64": int64(7)} {
		if got := number(amqp.Table{"n": v}, "n"); got != 7 {
			t.Errorf("%s: %d", name, got)
		}
	}
	for name, v := range map[string]any{"text": "7", "nothing": nil, "a fraction": 7.5} {
		if got := number(amqp.Table{"n": v}, "n"); got != 0 {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestTheServersDeadLettersHaveAFault(t *testing.T) {
	at := time.Date(2026, 5, 14, 18, 0, 0, 0, time.UTC)
	death := func(reason string) amqp.Table {
		return amqp.Table{"reason": reason, "queue": "hookgate.events", "time": at.Local(), "count": int64(1)}
	}
	for name, test := range map[string]struct {
		deaths any
		want   *hook.Fault
	}{
		"no deaths":          {nil, nil},
		"an empty list":      {[]any{}, nil},
		"not a list":         {"delivery_limit", nil},
		"the delivery limit": {[]any{death("delivery_limit")}, &hook.Fault{Kind: hook.KindPoison, Message: "the server gave it up: delivery_limit in the queue hookgate.events", Time: at, First: at}},
		"rejected":           {[]any{death("rejected")}, &hook.Fault{Kind: hook.KindExhausted, Message: "the server gave it up: rejected in the queue hookgate.events", Time: at, First: at}},
		"expired":            {[]any{death("expired")}, &hook.Fault{Kind: hook.KindExhausted, Message: "the server gave it up: expired in the queue hookgate.events", Time: at, First: at}},
		"the latest comes first": {
			[]any{death("delivery_limit"), death("expired")},
			&hook.Fault{Kind: hook.KindPoison, Message: "the server gave it up: delivery_limit in the queue hookgate.events", Time: at, First: at},
		},
		"something else in the list": {[]any{"x"}, &hook.Fault{Kind: hook.KindExhausted, Message: "the server gave it up:  in the queue "}},
	} {
		_, got := decode(&amqp.Delivery{Headers: amqp.Table{"x-death": test.deaths}})
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestAMessageThatCrashesItsConsumerBecomesADeadLetterOfTheServer(t *testing.T) {
	q := open(t, broker(t).Addr)
	ev := sample("poison")
	mustPublish(t, q, ev)
	c := connect(t)
	deliveries := 0
	eventually(t, "the server has given it up", func() bool {
		ch, err := c.Channel()
		if err != nil {
			t.Fatal(err)
		}
		_, ok, err := ch.Get(q.routes.names.EventsIn, false)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			deliveries++
		}
		if err := ch.Close(); err != nil { // as a crash ends it, and without an answer
			t.Fatal(err)
		}
		return !ok && deliveries > 20
	})
	var entries []hook.Entry
	eventually(t, "it is among the dead letters", func() bool {
		var err error
		if entries, err = q.Peek(t.Context(), hook.StateDead, 0, 5); err != nil {
			t.Fatal(err)
		}
		return len(entries) == 1
	})
	if deliveries != 21 {
		t.Errorf("%d deliveries", deliveries)
	}
	got, fault := entries[0].Event, entries[0].Fault
	if diff := cmp.Diff(ev, got, equalEvents...); diff != "" {
		t.Errorf("-sent +got:\n%s", diff)
	}
	if fault == nil || fault.Kind != hook.KindPoison || !strings.Contains(fault.Message, q.routes.names.EventsIn) {
		t.Fatalf("its fault is %v", fault)
	}
	if age := time.Since(fault.Time); age < -time.Minute || age > 10*time.Minute {
		t.Errorf("it failed at %s", fault.Time)
	}
	// Published again, it carries nothing of the server's.
	p, err := message(got)
	if err != nil {
		t.Fatal(err)
	}
	for name := range p.Headers {
		if strings.HasPrefix(name, "x-death") || strings.HasPrefix(name, "x-first-death") || strings.HasPrefix(name, "x-last-death") || name == "x-delivery-count" {
			t.Errorf("it has %s", name)
		}
	}
}
