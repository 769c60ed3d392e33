package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/doctor"
)

// publishing notes whether the user may publish where it has to, and whether the
// server takes messages now.
func (x *examiner) publishing(ctx context.Context, c *amqp.Connection) {
	n := x.notes
	blocked := c.NotifyBlocked(make(chan amqp.Blocking, 4))
	var refused []string
	for _, exchange := range x.publishes() {
		alarm, err := tryPublish(ctx, c, blocked, exchange)
		switch {
		case alarm != "":
			n.Fail("rabbitmq.alarm", "it takes no messages now: "+alarm, "give it memory or disk: until the alarm ends hooks answer 503, or keep events in the spool, where there is one")
			x.blocked = true
			return
		case err == nil, isCode(err, amqp.NotFound): // which is told of the exchange
		case isCode(err, amqp.AccessRefused):
			refused = append(refused, exchange)
		default:
			n.Fail("rabbitmq.alarm", (&addressless{err}).Error(), "look into the server's log")
			return
		}
	}
	n.OK("rabbitmq.alarm", "it takes messages")
	if refused != nil {
		n.Fail("rabbitmq.publish", "the user may not publish to "+strings.Join(refused, ", "), "give it write on them: docs/servers.md has the patterns")
		return
	}
	n.OK("rabbitmq.publish", "the user may publish where it has to")
}

// publishes are the exchanges that are published to with these settings.
func (x *examiner) publishes() (all []string) {
	names := x.queue.routes.names
	all = append(all, names.Events, names.DeadLetter)
	if len(x.opts.Queues) > 0 {
		all = append(all, names.Direct)
	}
	if len(x.opts.Celery) > 0 {
		all = append(all, names.Celery)
	}
	if x.opts.Consumes {
		all = append(all, names.Retry)
	}
	return all
}

// tryPublish publishes in a transaction and rolls it back: rights are checked when
// the message comes, and nothing goes to a queue before a commit. A server with an
// alarm does not read on, and says so.
func tryPublish(ctx context.Context, c *amqp.Connection, blocked <-chan amqp.Blocking, exchange string) (alarm string, _ error) {
	ch, err := c.Channel()
	if err != nil {
		return "", err
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			if err := ch.Tx(); err != nil {
				return err
			}
			if err := ch.PublishWithContext(ctx, exchange, "hookgate.doctor", false, false, amqp.Publishing{}); err != nil {
				return err
			}
			return ch.TxRollback()
		}()
	}()
	for {
		select {
		case b, open := <-blocked:
			if !open {
				blocked = nil
			}
			if b.Active {
				return b.Reason, nil
			}
		case err := <-done:
			if errors.Is(err, amqp.ErrClosed) { // the server was quicker than the next request
				if why := <-closed; why != nil {
					err = why
				}
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			_ = ch.Close()
			return "", err
		}
	}
}

// reading notes whether the user may consume the events, as a consumer has to, and
// as an edge needs not.
func (x *examiner) reading(c *amqp.Connection) {
	n, queue := x.notes, x.queue.routes.names.EventsIn
	may, err := mayConsume(c, queue)
	switch {
	case isCode(err, amqp.NotFound): // which is told of the queue
	case errors.Is(err, errNotSaid):
		n.Excuse("rabbitmq.consume", "this version does not say whether the user may consume")
	case err != nil:
		n.Fail("rabbitmq.consume", (&addressless{err}).Error(), "look into the server's log")
	case x.opts.Consumes && !may:
		n.Fail("rabbitmq.consume", "the user may not consume "+queue, "give the consumer a user with read on it, such as hookgate-consumer of deploy/rabbitmq/definitions.json")
	case x.opts.Consumes:
		n.OK("rabbitmq.consume", "the user may consume "+queue)
	case may && x.queue.opts.Topology == Passive: // one that declares may do so to all that it makes
		n.Warn("rabbitmq.consume", "the user may consume "+queue+", and nothing here does", "take read from it: an edge that was broken into could read every event")
	case !may:
		n.OK("rabbitmq.consume", "the user may not consume "+queue+", as an edge need not")
	}
}

var errNotSaid = errors.New("rabbitmq: the server has taken an argument that it should refuse")

// mayConsume reports whether the user may consume a queue. The server looks at
// rights first, and then at the arguments, one of which is wrong: nobody consumes.
func mayConsume(c *amqp.Connection, queue string) (bool, error) {
	ch, err := c.Channel()
	if err != nil {
		return false, err
	}
	defer ch.Close() // what came all the same goes back: one message at most
	if err := ch.Qos(1, 0, false); err != nil {
		return false, err
	}
	_, err = ch.Consume(queue, "hookgate.doctor", false, false, false, false, amqp.Table{"x-priority": "none"})
	switch {
	case isCode(err, amqp.AccessRefused):
		return false, nil
	case isCode(err, amqp.PreconditionFailed):
		return true, nil
	case err == nil:
		return false, errNotSaid
	}
	return false, err
}

// attention notes queues that nobody consumes, and letters that wait for a person.
func (x *examiner) attention(c *amqp.Connection) {
	n := x.notes
	names := x.queue.routes.names
	watched := slices.Concat([]string{names.EventsIn}, x.opts.Queues, x.opts.Celery)
	for _, name := range watched {
		in, err := passive(c, name)
		if err != nil {
			continue // which is told of the queue
		}
		seen := fmt.Sprintf("consumers: %d, messages ready: %d", in.Consumers, in.Messages)
		status := doctor.OK
		if in.Consumers == 0 && (name != names.EventsIn || !x.opts.Consumes) {
			status = doctor.Warn
		}
		n.Grade("rabbitmq.consumers", status, name+", "+seen, "start its consumer: what nobody takes stays there")
	}
	if in, err := passive(c, names.Dead); err == nil {
		status := doctor.OK
		if in.Messages > 0 {
			status = doctor.Warn
		}
		n.Grade("rabbitmq.dead", status, fmt.Sprintf("%s, letters: %d", names.Dead, in.Messages), "look at them: hookgate dead-letters groups")
	}
}

func passive(c *amqp.Connection, queue string) (amqp.Queue, error) {
	ch, err := c.Channel()
	if err != nil {
		return amqp.Queue{}, err
	}
	defer ch.Close()
	return ch.QueueDeclarePassive(queue, true, false, false, false, nil)
}
