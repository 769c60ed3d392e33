package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// maxSweep is how long a sweep may take. The server closes a channel that keeps
// a message for half an hour
// (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).
const maxSweep = 25 * time.Minute

// sweepIdle is how long a sweep waits for what it gave back to be there.
const sweepIdle = 2 * time.Second

// sendTimeout is how long a letter may take to be back at its origin.
const sendTimeout = 10 * time.Second

var (
	errSweepTooLong = errors.New("rabbitmq: the sweep took too long and has ended; what it did is done, and it may be run again")
	errNoOrigin     = errors.New("rabbitmq: the letter does not say where it came from")
)

// Count implements hook.DeadLetters.
func (q *Queue) Count(ctx context.Context) (n int, err error) {
	err = q.inspect(ctx, func(ch *amqp.Channel) error {
		in, err := ch.QueueDeclarePassive(q.routes.dead.queue, true, false, false, false, nil)
		n = in.Messages
		return err
	})
	return n, err
}

// Sweep implements hook.DeadLetters. It takes all letters that are there when it
// begins, and gives back those that are kept when it ends, in their order.
// Letters are sent on by the lanes of the queue, which must be started for that.
func (q *Queue) Sweep(ctx context.Context, fn func(*hook.DeadLetter) hook.Verdict) error {
	q.sweeping.Lock()
	defer q.sweeping.Unlock()
	w := sweep{queue: q, fn: fn, until: time.Now().Add(maxSweep)}
	err := q.inspect(ctx, func(ch *amqp.Channel) error {
		in, err := ch.QueueDeclarePassive(q.routes.dead.queue, true, false, false, false, nil)
		if err != nil || in.Messages == 0 {
			return err
		}
		return head(ch, q.routes.dead.queue, in.Messages, in.Messages, func(d *amqp.Delivery) (gone bool, err error) {
			return w.next(ctx, d), nil
		})
	})
	return errors.Join(w.failed, err)
}

// sweep is one pass over the dead letters. When it is over, what still comes is
// kept: it was taken already.
type sweep struct {
	queue  *Queue
	fn     func(*hook.DeadLetter) hook.Verdict
	until  time.Time
	over   bool
	failed error
}

// next asks for the verdict on a letter, and does what it says.
func (w *sweep) next(ctx context.Context, d *amqp.Delivery) (gone bool) {
	if w.over {
		return false
	}
	letter := w.queue.letter(d)
	v := w.fn(letter)
	switch v.Do {
	case hook.Send:
		w.failed = w.queue.sendOn(ctx, letter, v.Event)
		gone = w.failed == nil
	case hook.Discard:
		gone = true
	}
	if gone {
		w.failed = d.Ack(false)
	}
	if w.failed == nil && time.Now().After(w.until) {
		w.failed = errSweepTooLong
	}
	w.over = v.Do == hook.Stop || w.failed != nil
	return gone
}

// awaitBack waits until a queue has again what was taken from it, which takes
// the server a moment. Who looks next is to find it.
func awaitBack(ch *amqp.Channel, queue string, n int) error {
	for deadline := time.Now().Add(sweepIdle); ; time.Sleep(5 * time.Millisecond) {
		in, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil || in.Messages >= n || time.Now().After(deadline) {
			return err
		}
	}
}

// letter reads a dead letter.
func (q *Queue) letter(d *amqp.Delivery) *hook.DeadLetter {
	ev, f := decode(d)
	from := deathOrigin(d)
	if from.exchange == q.routes.names.Direct || from.exchange == q.routes.names.Celery {
		ev.Queue = from.key
	}
	l := &hook.DeadLetter{Event: ev, OriginExchange: from.exchange, OriginKey: from.key}
	if f != nil {
		l.Fault = *f
	}
	l.ID = hook.LetterID(ev)
	return l
}

// deathOrigin is originOf for a message that the server may have moved here
// itself.
func deathOrigin(d *amqp.Delivery) origin {
	if _, ok := d.Headers[headerOriginExchange]; ok {
		return originOf(d)
	}
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) == 0 {
		return originOf(d)
	}
	first, _ := deaths[len(deaths)-1].(amqp.Table) // the latest is in front
	from := origin{exchange: text(first, "exchange")}
	if keys, _ := first["routing-keys"].([]any); len(keys) > 0 {
		from.key, _ = keys[0].(string)
	}
	return from
}

// sendOn publishes the event of a letter to the letter's origin.
func (q *Queue) sendOn(ctx context.Context, l *hook.DeadLetter, ev *hook.Event) error {
	if l.OriginExchange == "" {
		return errNoOrigin
	}
	msg, err := message(ev)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	o := newOutgoing(q.routes.at(l.OriginExchange, l.OriginKey), l.OriginKey, msg)
	for {
		err := q.send(ctx, o)
		// The lanes may not be open yet, or a queue may just be made anew.
		if !errors.Is(err, hook.ErrUnavailable) || !pause(ctx, 50*time.Millisecond) {
			return wrapSend(err)
		}
		o = newOutgoing(o.target, o.key, o.msg)
	}
}

func wrapSend(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the letter stays, and so do those behind it: %w", err)
}

// Interface guard
var _ hook.DeadLetters = (*Queue)(nil)
