package rabbitmq

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// delivery is a message that was handed out.
type delivery struct {
	source *Source
	d      amqp.Delivery
	event  *hook.Event
	fault  *hook.Fault // of the last attempt, nil for none
	origin origin
}

// origin is where a message was published to when it was new.
type origin struct{ exchange, key string }

// originOf returns what a message says of its origin, or where it came from.
func originOf(d *amqp.Delivery) origin {
	if x, ok := d.Headers[headerOriginExchange].(string); ok {
		key, _ := d.Headers[headerOriginKey].(string) // byte for byte: it is sent there again
		return origin{exchange: x, key: key}
	}
	return origin{exchange: d.Exchange, key: d.RoutingKey}
}

func newDelivery(s *Source, d *amqp.Delivery) *delivery {
	ev, f := decode(d)
	return &delivery{source: s, d: *d, event: ev, fault: f, origin: originOf(d)}
}

// Event implements hook.Delivery.
func (d *delivery) Event() *hook.Event { return d.event }

// Redeliveries implements hook.Delivery. A classic queue says no more than that
// there was one.
func (d *delivery) Redeliveries() int {
	if n := number(d.d.Headers, "x-delivery-count"); n > 0 {
		return n
	}
	if d.d.Redelivered {
		return 1
	}
	return 0
}

// Done implements hook.Delivery.
func (d *delivery) Done(context.Context) error { return d.d.Ack(false) }

// Return implements hook.Delivery. RabbitMQ before 4.3 counts it as one
// delivery of those that the queue's limit allows.
func (d *delivery) Return(context.Context) error { return d.d.Nack(false, true) }

// Later implements hook.Delivery.
func (d *delivery) Later(ctx context.Context, after time.Duration, f *hook.Fault) error {
	ev := *d.event
	msg, err := plain(&ev)
	if err != nil {
		return err
	}
	if f != nil {
		ev.Attempt++
		msg.Headers[headerAttempt] = int64(ev.Attempt)
		d.addFault(msg.Headers, *f)
	} else if d.fault != nil {
		d.addFault(msg.Headers, *d.fault)
	}
	d.addOrigin(msg.Headers)
	t := d.source.tierFor(after).target
	return d.moved(ctx, newOutgoing(t, t.key, msg))
}

// Dead implements hook.Delivery.
func (d *delivery) Dead(ctx context.Context, f hook.Fault) error {
	ev := *d.event
	ev.Attempt = max(ev.Attempt, f.Attempt)
	msg, err := plain(&ev)
	if err != nil {
		return err
	}
	d.addFault(msg.Headers, f)
	d.addOrigin(msg.Headers)
	return d.moved(ctx, newOutgoing(d.source.queue.routes.dead, routingKey(&ev), msg))
}

// moved publishes what takes the message's place, and removes the message when
// that is durable. A crash between the two leaves both; the inbox knows them as
// one.
func (d *delivery) moved(ctx context.Context, o *outgoing) error {
	if err := d.source.queue.send(ctx, o); err != nil {
		return err
	}
	return d.d.Ack(false)
}

// addFault writes a fault, whose first time is that of the first of all.
func (d *delivery) addFault(h amqp.Table, f hook.Fault) {
	if d.fault != nil && !d.fault.First.IsZero() {
		f.First = d.fault.First
	}
	if f.Time.IsZero() {
		f.Time = time.Now()
	}
	if f.First.IsZero() {
		f.First = f.Time
	}
	addFault(h, &f)
}

func (d *delivery) addOrigin(h amqp.Table) {
	h[headerOriginExchange], h[headerOriginKey] = d.origin.exchange, d.origin.key
}

// Interface guard
var _ hook.Delivery = (*delivery)(nil)
