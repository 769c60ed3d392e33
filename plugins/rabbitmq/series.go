package rabbitmq

import (
	"context"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// PublishAll implements hook.Sequencer. All go through one channel, on which
// RabbitMQ keeps their order. A message that cannot be written leaves those
// behind it unwritten too.
func (q *Queue) PublishAll(ctx context.Context, events []hook.Outgoing) []error {
	errs := make([]error, len(events))
	out := make([]*outgoing, len(events))
	var (
		ln   *lane
		late error // why nothing more is written
	)
	for i := range events {
		o, err := q.outgoing(&events[i])
		if err != nil {
			errs[i] = err
			continue
		}
		if err = late; err == nil {
			err = q.admit(o, time.Now())
		}
		switch {
		case err != nil:
		case ln == nil:
			ln, late = q.enqueue(o, time.Now())
			err = late
		default:
			late = ln.enqueue(ctx, o)
			err = late
		}
		if err != nil {
			errs[i] = unavailable(err)
			continue
		}
		out[i] = o
	}
	for i, o := range out {
		if o == nil {
			continue
		}
		retry, err := ln.await(ctx, o)
		if retry {
			err = unavailable(errLost)
		}
		errs[i] = err
	}
	return errs
}

// outgoing returns an event as a message on its way.
func (q *Queue) outgoing(e *hook.Outgoing) (*outgoing, error) {
	t, key := q.routes.of(e.Event)
	if e.Fault != nil {
		msg, err := deadLetter(e.Event, e.Fault, t.exchange, key)
		if err != nil {
			return nil, err
		}
		return newOutgoing(q.routes.dead, routingKey(e.Event), msg), nil
	}
	o := q.spare.Get().(*outgoing)
	msg, err := messageIn(o.msg.Headers, e.Event)
	if err != nil {
		return nil, err
	}
	o.target, o.key, o.msg = t, key, msg
	return o, nil
}

// admit returns nil if a message may be written now.
func (q *Queue) admit(o *outgoing, now time.Time) error {
	if err := q.started(); err != nil {
		return err
	}
	return o.target.admit(now)
}

// enqueue puts a message behind the others of a lane.
func (ln *lane) enqueue(ctx context.Context, o *outgoing) error {
	select {
	case ln.in <- o:
		return nil
	case <-ln.dead:
		return errLost
	case <-ctx.Done():
		return errLate
	}
}

// Interface guard
var _ hook.Sequencer = (*Queue)(nil)
