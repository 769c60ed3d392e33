package rabbitmq

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// ErrWouldTire means that a look would bring a message near its delivery limit.
var ErrWouldTire = errors.New("rabbitmq: a message was delivered ten times or more, and each look counts as a delivery")

const (
	// maxLooks is how often a message for the consumer may have been delivered
	// before it is shown to nobody but the consumer.
	maxLooks = 10

	// restAfter is how long nobody looks at the messages for the consumer after
	// one was found that has been delivered so often. To find it was a delivery
	// too: somebody who asks every second would make it a dead letter.
	restAfter = time.Hour

	// maxDepth is how far from the head of a queue a look reaches.
	maxDepth = 100_000

	// idle is how long a look waits for a message that somebody else may have
	// taken meanwhile.
	idle = 500 * time.Millisecond
)

// Peek implements hook.Inspector. It takes messages without acknowledging
// them, and gives them back in their order. An entry's Seq is its place from
// the head of the queue, from 1.
//
// The server counts each look as a delivery. The dead letters have no limit
// that matters. Where the first message for the consumer was delivered ten
// times or more, the error is ErrWouldTire, for an hour without another look.
func (q *Queue) Peek(ctx context.Context, s hook.QueueState, after uint64, limit int) (entries []hook.Entry, err error) {
	t := q.routes.events
	if s == hook.StateDead {
		t = q.routes.dead
	} else if time.Since(time.Unix(0, t.tired.Load())) < restAfter {
		return nil, ErrWouldTire
	}
	if limit < 1 || after >= maxDepth {
		return nil, nil
	}
	err = q.inspect(ctx, func(ch *amqp.Channel) error {
		in, err := ch.QueueDeclarePassive(t.queue, true, false, false, false, nil)
		if err != nil || in.Messages > 0 && uint64(in.Messages) <= after {
			return err
		}
		seq, n := uint64(0), min(uint64(in.Messages), after+uint64(limit), maxDepth)
		return head(ch, t.queue, int(n), in.Messages, func(d *amqp.Delivery) (gone bool, err error) {
			if t != q.routes.dead && number(d.Headers, "x-delivery-count") >= maxLooks {
				t.tired.Store(time.Now().UnixNano())
				return false, ErrWouldTire
			}
			if seq++; seq > after {
				ev, f := decode(d)
				entries = append(entries, hook.Entry{Seq: seq, At: ev.ReceivedAt, Event: ev, Fault: f})
			}
			return false, nil
		})
	})
	return entries, err
}

// batch is how many messages one consumer of a look gets. Of more than 32 that
// come back in one request RabbitMQ 3.10 loses the order.
const batch = 32

// part is what one consumer of a look got.
type part struct {
	last uint64 // the tag of the last message that is kept: the server knows no other
	kept int    // messages that are not acknowledged
}

// head calls fn with the first n messages of a queue, or until it returns an
// error, and gives them back in their order, less those that fn has
// acknowledged and says are gone.
//
// A quorum queue puts what comes back behind all that has come back before, and
// in front of the rest. So a look must not end amid messages that were given
// back before: it takes, beyond the first n, all of these. To the queue each
// basic.get is a consumer of its own, and of what several consumers have the
// order is lost, unless each is asked for its own. The first message comes
// alone, so that fn can leave the others where they are.
func head(ch *amqp.Channel, queue string, n, all int, fn func(*amqp.Delivery) (gone bool, err error)) (err error) {
	var parts []part
	defer func() {
		if e := giveBack(ch, queue, parts); err == nil {
			err = e
		}
	}()
	d, ok, err := ch.Get(queue, false)
	if err != nil || !ok {
		return err
	}
	gone, err := fn(&d)
	parts = append(parts, part{d.DeliveryTag, keeps(gone)})
	cameBack := isBack(&d)
	for taken := 1; err == nil && taken < all && (taken < n || cameBack); {
		got, p := 0, part{}
		e := take(ch, queue, min(batch, all-taken), func(d *amqp.Delivery) {
			gone := false
			if err == nil && taken+got < n {
				gone, err = fn(d)
			}
			if !gone {
				p.last = d.DeliveryTag
				p.kept++
			}
			cameBack = isBack(d)
			got++
		})
		parts = append(parts, p)
		if e != nil || got == 0 {
			return errors.Join(err, e)
		}
		taken += got
	}
	return err
}

// keeps is how many of one message are kept.
func keeps(gone bool) int {
	if gone {
		return 0
	}
	return 1
}

// giveBack returns the messages of each part in one request. Of more than 32
// requests that a queue has not taken yet RabbitMQ 3.10 loses the order, too.
func giveBack(ch *amqp.Channel, queue string, parts []part) error {
	const atOnce = 16
	expected := 0
	for i, p := range parts {
		if i%atOnce == 0 {
			in, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
			if err != nil {
				return err
			}
			expected = in.Messages
		}
		if p.kept > 0 {
			if err := ch.Nack(p.last, true, true); err != nil {
				return err
			}
			expected += p.kept
		}
		if last := i == len(parts)-1; last || i%atOnce == atOnce-1 {
			if err := awaitBack(ch, queue, expected); err != nil {
				return err
			}
		}
	}
	return nil
}

// isBack reports whether a message was delivered before.
func isBack(d *amqp.Delivery) bool {
	return d.Redelivered || number(d.Headers, "x-delivery-count") > 0 || number(d.Headers, "x-acquired-count") > 0
}

// take calls fn with n messages, which one consumer gets, and with those that
// come in the place of what fn has acknowledged.
func take(ch *amqp.Channel, queue string, n int, fn func(*amqp.Delivery)) error {
	if err := ch.Qos(n, 0, false); err != nil {
		return err
	}
	tag := newID()
	deliveries, err := ch.Consume(queue, tag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for waiting := true; waiting && n > 0; n-- {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return amqp.ErrClosed
			}
			fn(&d)
			timer.Reset(idle)
		case <-timer.C:
			waiting = false
		}
	}
	if e := ch.Cancel(tag, false); e != nil {
		return e
	}
	for d := range deliveries { // came since
		fn(&d)
	}
	return nil
}
