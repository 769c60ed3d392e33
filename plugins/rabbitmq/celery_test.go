package rabbitmq

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// task returns an event that is a Celery task.
func task(id, body string) *hook.Event {
	ev := sample(id)
	ev.Queue, ev.Task, ev.Body = "celery", "app.tasks.take", []byte(body)
	return ev
}

// What a worker reads is written down in
// https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2.
func TestACeleryTaskIsVersion2OfItsProtocol(t *testing.T) {
	got, err := message(task("evt_1", `{ "n": 1.0, "text":"Grüße \u00fc" }`))
	if err != nil {
		t.Fatal(err)
	}
	const body = `[[{ "n": 1.0, "text":"Grüße \u00fc" }, "evt_1"], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]`
	if string(got.Body) != body {
		t.Errorf("body\n%s\nwant\n%s", got.Body, body)
	}
	want := amqp.Table{
		"lang":                   "go",
		"task":                   "app.tasks.take",
		"id":                     "evt_1",
		"root_id":                "evt_1",
		"parent_id":              nil,
		"group":                  nil,
		"argsrepr":               "(...)",
		"kwargsrepr":             "{}",
		"origin":                 "hookgate",
		"x-hookgate-hook":        "pe-action-map",
		"x-hookgate-received-at": "2026-05-14T18:32:11.45Z",
		"x-hookgate-client-ip":   "192.0.2.7",
		"x-hookgate-fingerprint": "010203" + strings.Repeat("00", 29),
		"traceparent":            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	if diff := cmp.Diff(want, got.Headers); diff != "" {
		t.Errorf("headers: -want +got:\n%s", diff)
	}
	for name, pair := range map[string][2]string{
		"correlation_id":   {got.CorrelationId, "evt_1"},
		"message_id":       {got.MessageId, "evt_1"},
		"content_type":     {got.ContentType, "application/json"},
		"content_encoding": {got.ContentEncoding, "utf-8"},
		"app_id":           {got.AppId, "hookgate"},
		"reply_to":         {got.ReplyTo, ""},
		"expiration":       {got.Expiration, ""},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
		}
	}
	if got.DeliveryMode != amqp.Persistent {
		t.Errorf("delivery mode %d", got.DeliveryMode)
	}
}

// A worker must find what was sent: numbers, spaces and escapes as they were.
func TestThePayloadOfACeleryTaskIsWhatWasReceived(t *testing.T) {
	for _, payload := range []string{
		`{}`, ` {"a" : 1e400 } `, "{\n\t\"big\": 123456789012345678901234567890\n}",
		`{"quote":"\" \\ \/"}`, `{"close":"]]}"}`, `{"line":"\u2028 ` + "\u2028" + `"}`,
	} {
		got, err := message(task(`id "with" \ quotes`, payload))
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			continue
		}
		var parts []json.RawMessage
		if err := json.Unmarshal(got.Body, &parts); err != nil || len(parts) != 3 {
			t.Errorf("%s: %v in %s", payload, err, got.Body)
			continue
		}
		var args []json.RawMessage
		if err := json.Unmarshal(parts[0], &args); err != nil || len(args) != 2 {
			t.Errorf("%s: %v in %s", payload, err, parts[0])
			continue
		}
		if string(args[0]) != strings.Trim(payload, " ") {
			t.Errorf("%s became %s", payload, args[0])
		}
		var id string
		if err := json.Unmarshal(args[1], &id); err != nil || id != `id "with" \ quotes` {
			t.Errorf("the ID is %s, %v", args[1], err)
		}
	}
}

func TestNoEventIDBreaksACeleryTask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringN(1, -1, maxShort).Draw(t, "id")
		got, err := message(task(id, `{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		var parts [3]any
		if err := json.Unmarshal(got.Body, &parts); err != nil {
			t.Fatalf("%s: %v", got.Body, err)
		}
		if want := []any{map[string]any{"a": 1.0}, id}; !cmp.Equal(parts[0], any(want)) {
			t.Fatalf("arguments %v, want %v", parts[0], want)
		}
	})
}

func TestWhatIsNoCeleryTaskIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*hook.Event)
		want   error
	}{
		"no queue":           {func(ev *hook.Event) { ev.Queue = "" }, errTask},
		"no JSON":            {func(ev *hook.Event) { ev.Body = []byte(`{"a":`) }, errJSON},
		"two values":         {func(ev *hook.Event) { ev.Body = []byte(`{} , {}`) }, errJSON},
		"out of its list":    {func(ev *hook.Event) { ev.Body = []byte(`1], {}, {}]`) }, errJSON},
		"nothing":            {func(ev *hook.Event) { ev.Body = nil }, errJSON},
		"an ID that is long": {func(ev *hook.Event) { ev.ID = strings.Repeat("x", 256) }, errID},
	} {
		ev := task("evt_1", "{}")
		test.change(ev)
		if _, err := message(ev); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is parked is the event, and not its task, which it can become again.
func TestTheDeadLetterOfACeleryTaskIsItsEvent(t *testing.T) {
	ev := task("evt_1", `{"a":1}`)
	got, err := deadLetter(ev, &hook.Fault{Kind: hook.KindInvalid}, "hookgate.celery", "celery")
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Body) != `{"a":1}` || got.ContentType != ev.ContentType || got.Headers["task"] != nil {
		t.Errorf("%s %s %v", got.Body, got.ContentType, got.Headers)
	}
	back, _ := decode(&amqp.Delivery{MessageId: got.MessageId, Headers: got.Headers, Body: got.Body})
	if back.Task != ev.Task {
		t.Errorf("its task is %q", back.Task)
	}
	for name, want := range map[string]string{headerOriginExchange: "hookgate.celery", headerOriginKey: "celery"} {
		if got.Headers[name] != want {
			t.Errorf("%s is %v", name, got.Headers[name])
		}
	}
}
