package rabbitmq

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// ErrMayNotRead means that the server lets this user not look into a queue.
var ErrMayNotRead = errors.New("rabbitmq: this user may not read the queue")

// inspect runs functions one after the other, each on a channel of its own, on
// a connection of their own. The library's calls end with ctx, because the
// socket does.
func (q *Queue) inspect(ctx context.Context, fns ...func(*amqp.Channel) error) error {
	c, nc, err := q.dialAny(ctx)
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

// Interface guard
var _ hook.Inspector = (*Queue)(nil)
