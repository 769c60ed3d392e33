package rabbitmq

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

var (
	errNotStarted = errors.New("rabbitmq: not started")
	errClosed     = errors.New("rabbitmq: closed")
	errNotYet     = errors.New("rabbitmq: not connected yet")
	errSilent     = errors.New("rabbitmq: the server is silent")
	errFull       = errors.New("rabbitmq: too many messages wait to be sent")
	errLate       = errors.New("rabbitmq: not sent in time")
	errLost       = errors.New("rabbitmq: the channel was closed before the confirmation")
	errCancelled  = errors.New("rabbitmq: the server has ended the consumer: its queue was deleted, or has lost its leader")
	errStuck      = errors.New("rabbitmq: no confirmation has come for too long")
	errForgotten  = errors.New("rabbitmq: the confirmation of one message has not come for too long")
	errRefusing   = errors.New("rabbitmq: a queue refuses everything on this channel")
	errNack       = errors.New("rabbitmq: nack: the queue is full, or its leader has changed")
)

// unavailable says that nothing was written, and why.
func unavailable(cause error) error { return fmt.Errorf("%w: %w", hook.ErrUnavailable, cause) }

// refused says that the server keeps nothing, and why.
func refused(cause error) error { return fmt.Errorf("%w: %w", hook.ErrRefused, cause) }

// lost says that nobody will ever know.
func lost(cause error) error {
	fate := make(chan error)
	close(fate)
	return &hook.InDoubt{Cause: cause, Fate: fate}
}

// returnError says why a message came back.
func returnError(code uint16, t *target) error {
	if code == amqp.NoRoute {
		return fmt.Errorf("rabbitmq: no queue is bound for messages to %s", t)
	}
	return fmt.Errorf("rabbitmq: returned with the code %d", code)
}

// isCode reports whether the server closed a channel or connection with a code.
func isCode(err error, codes ...int) bool {
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}
