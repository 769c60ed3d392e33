package rabbitmq

import (
	amqp "github.com/rabbitmq/amqp091-go"
)

// surveyor is one look at the topology. A refused request closes its channel;
// the next one opens another.
type surveyor struct {
	topology *topology
	conn     *amqp.Connection
	ch       *amqp.Channel
}

func (s *surveyor) close() {
	if s.ch != nil {
		_ = s.ch.Close()
	}
}

// do runs one request.
func (s *surveyor) do(request func(*amqp.Channel) error) error {
	if s.ch == nil || s.ch.IsClosed() {
		var err error
		if s.ch, err = s.conn.Channel(); err != nil {
			return err
		}
	}
	return request(s.ch)
}

// look makes a target, or looks for it.
func (s *surveyor) look(t *target) error {
	declare := s.topology.queue.opts.Topology == Declare
	if declare || !t.source {
		if err := s.exchange(t.exchange, t.kind, declare); err != nil {
			return err
		}
	}
	if !t.foreign || s.queuePassive(t.queue) != nil {
		if err := s.queue(t.queue, t.args, declare); err != nil {
			return err
		}
	}
	if !declare {
		return nil
	}
	return s.bind(t.queue, t.key, t.exchange)
}

const (
	textOther  = "this is in RabbitMQ with other settings, and is used as it is"
	textRights = "the RabbitMQ user may not declare this; it is used as it is (topology passive does not try)"
	textBlind  = "the RabbitMQ user may not look whether this is there; it is taken to be (any right to it, such as write, lets it look)"
)

func (s *surveyor) exchange(name, kind string, declare bool) error {
	if !declare {
		return s.unlessBlind("exchange "+name, s.exchangePassive(name, kind))
	}
	err := s.do(func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(name, kind, true, false, false, false, nil)
	})
	switch {
	case isCode(err, amqp.PreconditionFailed):
		s.topology.warnOnce("exchange "+name, textOther, err)
		return nil
	case isCode(err, amqp.AccessRefused):
		s.topology.warnOnce("exchange "+name, textRights, err)
		return s.unlessBlind("exchange "+name, s.exchangePassive(name, kind))
	}
	return err
}

func (s *surveyor) exchangePassive(name, kind string) error {
	return s.do(func(ch *amqp.Channel) error {
		return ch.ExchangeDeclarePassive(name, kind, true, false, false, false, nil)
	})
}

// unlessBlind forgives that a user may not look. To look needs no right before
// RabbitMQ 4.2.6, the right to configure in 4.2.6 and 4.3.0, and any right from
// then on (https://github.com/rabbitmq/rabbitmq-server/pull/16272). A user who
// may publish does not have to have one to the queue, and whether that is there
// a message that comes back tells.
func (s *surveyor) unlessBlind(entity string, err error) error {
	if isCode(err, amqp.AccessRefused) {
		s.topology.warnOnce("sight of "+entity, textBlind, err)
		return nil
	}
	return err
}

func (s *surveyor) queuePassive(name string) error {
	return s.do(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	})
}

func (s *surveyor) queue(name string, args amqp.Table, declare bool) error {
	if !declare {
		return s.unlessBlind("queue "+name, s.queuePassive(name))
	}
	err := s.do(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, args)
		return err
	})
	switch {
	case isCode(err, amqp.PreconditionFailed):
		s.topology.warnOnce("queue "+name, textOther, err)
		return nil
	case isCode(err, amqp.AccessRefused):
		s.topology.warnOnce("queue "+name, textRights, err)
		return s.unlessBlind("queue "+name, s.queuePassive(name))
	}
	return err
}

func (s *surveyor) bind(queue, key, exchange string) error {
	err := s.do(func(ch *amqp.Channel) error {
		return ch.QueueBind(queue, key, exchange, false, nil)
	})
	if isCode(err, amqp.AccessRefused) {
		// The binding may be there: a message that comes back tells.
		s.topology.warnOnce("binding of "+queue, textRights, err)
		return nil
	}
	return err
}
