package rabbitmq

import (
	"encoding/json"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

var (
	errTask = errors.New("rabbitmq: a Celery task needs a queue")
	errJSON = errors.New("rabbitmq: the body is not JSON, which a Celery task needs")
)

// celeryTask returns an event as a call of task(payload, event_id), in version
// 2 of Celery's protocol
// (https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2). The
// task's ID is the event's.
//
// Celery writes argsrepr and kwargsrepr to its log; they say nothing here.
func celeryTask(h amqp.Table, ev *hook.Event) (amqp.Publishing, error) {
	if ev.Queue == "" {
		return amqp.Publishing{}, errTask
	}
	msg, err := plainIn(h, ev)
	if err != nil {
		return msg, err
	}
	if msg.Body, err = celeryBody(ev); err != nil {
		return msg, err
	}
	h["lang"] = "go"
	h["task"] = ev.Task
	h["id"] = ev.ID
	h["root_id"] = ev.ID
	h["parent_id"] = nil
	h["group"] = nil
	h["argsrepr"] = "(...)"
	h["kwargsrepr"] = "{}"
	h["origin"] = appID
	msg.CorrelationId = ev.ID
	msg.ContentType = "application/json"
	msg.ContentEncoding = "utf-8"
	return msg, nil
}

// celeryBody returns [args, kwargs, embed]. The payload stands in it as it was
// received.
func celeryBody(ev *hook.Event) ([]byte, error) {
	if !json.Valid(ev.Body) {
		return nil, errJSON
	}
	id, err := json.Marshal(ev.ID)
	if err != nil {
		return nil, err
	}
	const embed = `], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]`
	b := make([]byte, 0, len(ev.Body)+len(id)+len(embed)+4)
	b = append(b, "[["...)
	b = append(b, ev.Body...)
	b = append(b, ", "...)
	b = append(b, id...)
	return append(b, embed...), nil
}
