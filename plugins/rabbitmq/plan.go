package rabbitmq

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Entity is an exchange, a queue or a binding of the topology.
type Entity struct {
	Kind      string            `json:"kind"` // exchange, queue, binding
	Name      string            `json:"name"`
	Type      string            `json:"type,omitempty"` // of an exchange: topic, direct; of a queue: quorum, classic
	Key       string            `json:"routing_key,omitempty"`
	To        string            `json:"queue,omitempty"` // of a binding
	Arguments map[string]string `json:"arguments,omitempty"`
	State     EntityState       `json:"state"`
	Reason    string            `json:"reason,omitempty"`

	target *target
}

// EntityState is what is known of an entity.
type EntityState string

// The states.
const (
	Present   EntityState = "present"
	Missing   EntityState = "missing"
	Different EntityState = "different" // there, with other settings
	Made      EntityState = "made"      // by Apply, just now
	Unknown   EntityState = "unknown"   // not to be seen by this user, or over AMQP
)

// Settled reports whether nothing is to be done about it, as far as is known.
func (e *Entity) Settled() bool { return e.State != Missing && e.State != Different }

// TopologyOptions say what there is to be.
type TopologyOptions struct {
	Options

	// Retry are the tiers of a consumer. Default: DefaultRetry. An empty list
	// that is not nil: none, for an edge without Hookgate's consumer.
	Retry []time.Duration

	// Queues are those that hooks name with queue.
	Queues []string

	// Celery are those that hooks name with format celery.
	Celery []string
}

// Plan returns everything that there is to be, in the order in which it is to
// be made. It asks nobody: all states are unknown.
func Plan(opts TopologyOptions) ([]Entity, error) {
	q, err := opts.queue()
	if err != nil {
		return nil, err
	}
	return q.entities(), nil
}

// Verify looks for everything that Plan names, and makes nothing. That there is
// something with other settings is seen only by a user who may configure it;
// bindings cannot be seen over AMQP at all.
func Verify(ctx context.Context, opts TopologyOptions) ([]Entity, error) {
	return opts.examine(ctx, func(s *surveyor, e *Entity) error { return s.verify(e) })
}

// Apply makes what is missing of what Plan names. What is there with other
// settings stays as it is, and is said to be different.
func Apply(ctx context.Context, opts TopologyOptions) ([]Entity, error) {
	return opts.examine(ctx, func(s *surveyor, e *Entity) error {
		if err := s.verify(e); err != nil {
			return err
		}
		return s.make(e)
	})
}

// queue returns a Queue that knows all targets, and is never started.
func (o TopologyOptions) queue() (*Queue, error) {
	q, err := New(o.Options)
	if err != nil {
		return nil, err
	}
	delays := o.Retry
	if delays == nil {
		delays = DefaultRetry()
	}
	for _, t := range newTiers(q.routes.names, q.routes.names.EventsIn, delays) {
		q.routes.tiers = append(q.routes.tiers, t.target)
	}
	for _, name := range o.Queues {
		q.Expect(name, false)
	}
	for _, name := range o.Celery {
		q.Expect(name, true)
	}
	return q, nil
}

func (o TopologyOptions) examine(ctx context.Context, look func(*surveyor, *Entity) error) ([]Entity, error) {
	q, err := o.queue()
	if err != nil {
		return nil, err
	}
	c, nc, err := q.dialAny(ctx)
	if err != nil {
		return nil, fmt.Errorf("rabbitmq: %w", err)
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	defer stop()
	s := &surveyor{topology: q.topology, conn: c}
	all := q.entities()
	for i := range all {
		if err := look(s, &all[i]); err != nil {
			return nil, fmt.Errorf("rabbitmq: %s %s: %w", all[i].Kind, all[i].Name, err)
		}
	}
	return all, c.Close()
}

// entities returns what the targets are made of, each once.
func (q *Queue) entities() []Entity {
	var all []Entity
	seen := make(map[string]bool)
	for _, t := range q.targets() {
		if !seen[t.exchange] {
			seen[t.exchange] = true
			all = append(all, Entity{Kind: "exchange", Name: t.exchange, Type: t.kind, State: Unknown, target: t})
		}
		e := Entity{Kind: "queue", Name: t.queue, Type: "classic", State: Unknown, target: t}
		for _, name := range slices.Sorted(maps.Keys(t.args)) {
			if name == "x-queue-type" {
				e.Type = fmt.Sprint(t.args[name])
				continue
			}
			if e.Arguments == nil {
				e.Arguments = make(map[string]string)
			}
			e.Arguments[name] = fmt.Sprint(t.args[name])
		}
		all = append(all, e, Entity{Kind: "binding", Name: t.exchange, Key: t.key, To: t.queue, State: Unknown, target: t})
	}
	return all
}

// verify finds out the state of an entity.
func (s *surveyor) verify(e *Entity) error {
	t := e.target
	var err error
	switch e.Kind {
	case "exchange":
		err = s.exchangePassive(t.exchange, t.kind)
	case "queue":
		err = s.queuePassive(t.queue)
	default:
		return nil
	}
	switch {
	case err == nil:
		e.State = Present
	case isCode(err, amqp.NotFound):
		e.State = Missing
		return nil
	case isCode(err, amqp.AccessRefused):
		e.Reason = "this user may not look"
		return nil
	default:
		return err
	}
	if e.Kind == "queue" && t.foreign {
		return nil // as it is there, it is right
	}
	return s.compare(e)
}

// compare declares what is there once more: the server compares, and refuses
// where something differs (AMQP 0-9-1, exchange.declare and queue.declare,
// rule equivalent).
func (s *surveyor) compare(e *Entity) error {
	t := e.target
	err := s.do(func(ch *amqp.Channel) error {
		if e.Kind == "exchange" {
			return ch.ExchangeDeclare(t.exchange, t.kind, true, false, false, false, nil)
		}
		_, err := ch.QueueDeclare(t.queue, true, false, false, false, t.args)
		return err
	})
	switch {
	case err == nil:
	case isCode(err, amqp.PreconditionFailed):
		e.State, e.Reason = Different, serverReason(err)
	case isCode(err, amqp.AccessRefused):
		e.Reason = "this user may not compare its settings"
	default:
		return err
	}
	return nil
}

// make makes an entity that is missing, or a binding.
func (s *surveyor) make(e *Entity) error {
	if e.State != Missing && e.Kind != "binding" {
		return nil
	}
	t := e.target
	err := s.do(func(ch *amqp.Channel) error {
		switch e.Kind {
		case "exchange":
			return ch.ExchangeDeclare(t.exchange, t.kind, true, false, false, false, nil)
		case "queue":
			_, err := ch.QueueDeclare(t.queue, true, false, false, false, t.args)
			return err
		}
		return ch.QueueBind(t.queue, t.key, t.exchange, false, nil)
	})
	switch {
	case err == nil && e.Kind == "binding":
		e.State = Present
	case err == nil:
		e.State = Made
	case isCode(err, amqp.AccessRefused) && e.Kind == "binding":
		e.Reason = "this user may not make it, and it may be there"
	case isCode(err, amqp.AccessRefused, amqp.PreconditionFailed, amqp.NotFound):
		e.State, e.Reason = Missing, serverReason(err)
	default:
		return err
	}
	return nil
}

// serverReason is what the server says, less the code and the vhost's name.
func serverReason(err error) string {
	text := err.Error()
	if _, after, ok := strings.Cut(text, " - "); ok {
		text = after
	}
	return strings.Trim(text, `" `)
}
