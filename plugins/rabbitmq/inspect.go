package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// ErrMayNotRead means that the server lets this user not look into a queue.
var ErrMayNotRead = errors.New("rabbitmq: this user may not read the queue")

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

	// maxDepth is how far from the head of a queue a look reaches: a prefetch
	// has 16 bits.
	maxDepth = 1<<16 - 1
)

// inspect runs functions one after the other, each on a channel of its own, on
// a connection of their own. The library's calls end with ctx, because the
// socket does.
func (q *Queue) inspect(ctx context.Context, fns ...func(*amqp.Channel) error) error {
	c, nc, err := q.dial(ctx, q.nextServer())
	if err != nil {
		return unavailable(err)
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	defer stop()
	for _, fn := range fns {
		ch, e := c.Channel()
		if e == nil {
			e = fn(ch)
		}
		err = errors.Join(err, e)
	}
	_ = c.Close()
	switch {
	case err == nil || errors.Is(err, ErrWouldTire):
		return err
	case ctx.Err() != nil:
		return unavailable(ctx.Err())
	case isCode(err, amqp.AccessRefused):
		return fmt.Errorf("%w: %w", ErrMayNotRead, err)
	}
	return fmt.Errorf("rabbitmq: %w", err)
}

// Counts implements hook.Inspector. Ready are the messages of the queue for
// events and of those that hooks name; what a consumer has taken and not
// acknowledged is not among them.
func (q *Queue) Counts(ctx context.Context) (n hook.Counts, err error) {
	err = q.inspect(ctx, func(ch *amqp.Channel) error {
		for _, t := range q.targets() {
			in, err := ch.QueueDeclarePassive(t.queue, true, false, false, false, nil)
			switch {
			case err != nil:
				return err
			case t == q.routes.dead:
				n.Dead += in.Messages
			default:
				n.Ready += in.Messages
			}
		}
		return nil
	})
	return n, err
}

// Peek implements hook.Inspector. It takes messages without acknowledging
// them, and gives them back when its channel closes; quorum queues keep their
// place. An entry's Seq is its place from the head of the queue, from 1.
//
// The server counts each look as a delivery. The dead letters have no limit
// that matters; of the messages for a consumer none is touched that was
// delivered ten times or more.
func (q *Queue) Peek(ctx context.Context, s hook.QueueState, after uint64, limit int) (entries []hook.Entry, err error) {
	queue := q.routes.events.queue
	if s == hook.StateDead {
		queue = q.routes.dead.queue
	}
	err = q.inspect(ctx, func(ch *amqp.Channel) error {
		for seq := uint64(1); len(entries) < limit; seq++ {
			d, ok, err := ch.Get(queue, false)
			if err != nil || !ok {
				return err
			}
			if s != hook.StateDead && number(d.Headers, "x-delivery-count") >= maxLooks {
				return ErrWouldTire
			}
			if seq <= after {
				continue
			}
			ev, f := decode(&d)
			entries = append(entries, hook.Entry{Seq: seq, At: ev.ReceivedAt, Event: ev, Fault: f})
		}
		return nil
	})
	return entries, err
}

// Interface guard
var _ hook.Inspector = (*Queue)(nil)
