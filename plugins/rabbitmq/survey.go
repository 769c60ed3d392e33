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
	if err := s.exchange(t.exchange, t.kind, declare); err != nil {
		return err
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
)

func (s *surveyor) exchange(name, kind string, declare bool) error {
	passive := func(ch *amqp.Channel) error {
		return ch.ExchangeDeclarePassive(name, kind, true, false, false, false, nil)
	}
	if !declare {
		return s.do(passive)
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
		return s.do(passive)
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
		return s.queuePassive(name)
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
		return s.queuePassive(name)
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
