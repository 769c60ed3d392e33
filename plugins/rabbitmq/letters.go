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

// sweepIdle is how long a sweep waits for a letter that should be there.
const sweepIdle = 2 * time.Second

// maxPrefetch is the largest there is: basic.qos has 16 bits for it.
const maxPrefetch = 1<<16 - 1

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

// Sweep implements hook.DeadLetters: it takes letter after letter, and keeps
// those that stay unacknowledged until its channel closes. It sees the letters
// that were there when it began. Letters are sent on by the lanes of the queue,
// which must be started for that.
func (q *Queue) Sweep(ctx context.Context, fn func(*hook.DeadLetter) hook.Verdict) error {
	begin := time.Now()
	return q.takeDead(ctx, func(d *amqp.Delivery) (taken, error) {
		letter := q.letter(d)
		v := fn(letter)
		switch {
		case v.Do == hook.Stop:
			return enough, nil
		case v.Do == hook.Keep && time.Since(begin) > maxSweep:
			return enough, errSweepTooLong
		case v.Do == hook.Keep:
			return kept, nil
		case v.Do == hook.Send:
			if err := q.sendOn(ctx, letter, v.Event); err != nil {
				return enough, err
			}
		}
		return gone, d.Ack(false)
	})
}

// taken is what became of a message that was taken.
type taken uint8

const (
	kept   taken = iota
	gone         // it was acknowledged
	enough       // it is kept, and so are those behind it
)

// takeDead takes all dead letters, and calls fn for them until it has enough or
// fails. Those that are kept go back when the channel closes.
//
// A quorum queue puts back what one consumer held in the order in which it got
// it, and delivers that before anything else; each basic.get is a consumer of
// its own to it. To leave the order as it is, one consumer takes all letters.
func (q *Queue) takeDead(ctx context.Context, fn func(*amqp.Delivery) (taken, error)) error {
	q.sweeping.Lock()
	defer q.sweeping.Unlock()
	back := 0
	return q.inspect(ctx, func(ch *amqp.Channel) (err error) {
		queue := q.routes.dead.queue
		in, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil || in.Messages == 0 {
			return err
		}
		deliveries, err := consumeAll(ch, queue, in.Messages)
		if err != nil {
			return err
		}
		state := kept
		for range in.Messages {
			d := next(deliveries)
			if d == nil {
				break
			}
			if state != enough {
				state, err = fn(d)
			}
			if err != nil {
				state = enough
			}
			if state != gone {
				back++
			}
		}
		return errors.Join(err, ch.Close())
	}, func(ch *amqp.Channel) error { return awaitBack(ch, q.routes.dead.queue, back) })
}

// next returns the next delivery, or nil where none comes: the channel is
// closed, or somebody else has taken what should be there.
func next(deliveries <-chan amqp.Delivery) *amqp.Delivery {
	idle := time.NewTimer(sweepIdle)
	defer idle.Stop()
	select {
	case d, ok := <-deliveries:
		if ok {
			return &d
		}
	case <-idle.C:
	}
	return nil
}

// consumeAll consumes n messages of a queue.
func consumeAll(ch *amqp.Channel, queue string, n int) (<-chan amqp.Delivery, error) {
	if n > maxPrefetch {
		n = 0 // no bound
	}
	if err := ch.Qos(n, 0, false); err != nil {
		return nil, err
	}
	return ch.Consume(queue, newID(), false, false, false, false, nil)
}

// awaitBack waits until a queue has again what was taken from it, which takes
// the server a moment after the channel was closed. Who looks next is to find
// it.
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
