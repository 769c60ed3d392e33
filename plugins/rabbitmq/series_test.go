package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// series returns samples to be published in their order.
func series(ids ...string) []hook.Outgoing {
	out := make([]hook.Outgoing, len(ids))
	for i, id := range ids {
		out[i].Event = sample(id)
	}
	return out
}

func publishAll(t testing.TB, q *Queue, events []hook.Outgoing) []error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	errs := q.PublishAll(ctx, events)
	if len(errs) != len(events) {
		t.Fatalf("%d outcomes of %d", len(errs), len(events))
	}
	return errs
}

// inOrder returns the message IDs of a queue in their order.
func inOrder(t testing.TB, queue string) (ids []string) {
	t.Helper()
	ch := client(t)
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return ids
		}
		ids = append(ids, d.MessageId)
	}
}

func TestASeriesKeepsItsOrder(t *testing.T) {
	q := open(t, broker(t).Addr)
	var ids []string
	for i := range 500 {
		ids = append(ids, fmt.Sprint("evt_", i))
	}
	for chunk := range slices.Chunk(ids, 64) {
		for i, err := range publishAll(t, q, series(chunk...)) {
			if err != nil {
				t.Fatalf("%s: %v", chunk[i], err)
			}
		}
	}
	if got := inOrder(t, q.routes.names.EventsIn); !slices.Equal(got, ids) {
		t.Errorf("%d of %d, or in another order", len(got), len(ids))
	}
}

func TestEachOfASeriesHasItsOwnOutcome(t *testing.T) {
	q := open(t, broker(t).Addr)
	full := q.opts.Prefix + ".full"
	if _, err := client(t).QueueDeclare(full, true, false, false, false, amqp.Table{"x-max-length": int64(1), "x-overflow": "reject-publish"}); err != nil {
		t.Fatal(err)
	}
	defer q.Expect(full, false)()
	events := series("evt_1", "fits", "evt_2", "not", "evt_3", "letter")
	events[1].Event.Queue, events[3].Event.Queue = full, full
	events[2].Event.ID = "" // no message
	events[5].Fault = &hook.Fault{Kind: hook.KindInvalid, Message: "m"}
	var errs []error
	eventually(t, "the queue of its own is known", func() bool {
		errs = publishAll(t, q, events[1:2])
		return errs[0] == nil
	})
	errs = publishAll(t, q, events)
	for i, wanted := range []error{nil, hook.ErrRefused, errID, hook.ErrRefused, nil, nil} {
		if !errors.Is(errs[i], wanted) || wanted == nil && errs[i] != nil {
			t.Errorf("event %d: %v, not %v", i, errs[i], wanted)
		}
	}
	if got := inOrder(t, q.routes.names.EventsIn); !slices.Equal(got, []string{"evt_1", "evt_3"}) {
		t.Errorf("the events are %v", got)
	}
	if got := inOrder(t, q.routes.names.Dead); !slices.Equal(got, []string{"letter"}) {
		t.Errorf("the letters are %v", got)
	}
}

func TestASeriesThatCannotBeWrittenSaysSoAtOnce(t *testing.T) {
	q := begin(t, "127.0.0.1:1")
	for _, err := range publishAll(t, q, series("evt_1", "evt_2")) {
		if !errors.Is(err, hook.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
}

func TestASeriesWhoseConfirmationsStayAwayIsInDoubt(t *testing.T) {
	b := broker(t)
	q := open(t, b.Addr)
	mustPublish(t, q, sample("before"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody waits
	eventually(t, "they were written all the same", func() bool {
		written := 0
		for _, err := range q.PublishAll(ctx, series("evt_1", "evt_2", "evt_3")) {
			doubt, ok := isInDoubt(err)
			if !ok {
				if err != nil && !errors.Is(err, hook.ErrUnavailable) {
					t.Errorf("got %v", err)
				}
				continue
			}
			if fate, known := <-doubt.Fate; known && fate == nil {
				written++
			}
		}
		return written > 0
	})
}
