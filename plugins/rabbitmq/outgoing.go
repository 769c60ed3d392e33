package rabbitmq

import (
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// outgoing is a message on its way from a request to the writer of a lane.
type outgoing struct {
	target *target
	key    string // routing key
	msg    amqp.Publishing
	at     time.Time // when it was written; the lane's

	state    atomic.Uint32
	sent     chan written  // one value, once it is writing
	returned atomic.Uint32 // reply code of a basic.return; 0 for none
}

// written is what became of a message at its writer's.
type written struct {
	number  uint64 // its delivery tag on the lane
	confirm *amqp.DeferredConfirmation
	err     error // without a confirm
}

// The states: a message is taken by the writer, or given up by its request,
// and not both.
const (
	waiting uint32 = iota
	writing
	abandoned
)

func newOutgoing(t *target, key string, msg amqp.Publishing) *outgoing {
	return &outgoing{target: t, key: key, msg: msg, sent: make(chan written, 1)}
}

// usualHeaders is how many headers a message has, as a rule.
const usualHeaders = 8

// empty makes it as new, with its table. It must be nobody else's: confirmed,
// and not followed.
func (o *outgoing) empty() {
	h := o.msg.Headers
	clear(h)
	*o = outgoing{sent: o.sent, msg: amqp.Publishing{Headers: h}}
}

// take makes it the writer's.
func (o *outgoing) take() bool { return o.state.CompareAndSwap(waiting, writing) }

// abandon gives it up. Where it reports true it was not and will not be
// written.
func (o *outgoing) abandon() bool { return o.state.CompareAndSwap(waiting, abandoned) }
