package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Why the store could not be asked, or what is wrong with its answer. Methods
// return them wrapped. None of them, nor what they wrap, quotes a password.
var (
	// ErrNotStarted means that Start was not called.
	ErrNotStarted = errors.New("redis store is not started")

	// ErrClosed means that Close was called.
	ErrClosed = errors.New("redis store is closed")

	// ErrTimeout means that the server did not answer in time. What was asked
	// for may have happened.
	ErrTimeout = errors.New("redis did not answer in time")

	// ErrUnreachable means that there is no connection, or that it broke. What
	// was asked for may have happened.
	ErrUnreachable = errors.New("redis cannot be reached")

	// ErrRefused means that the server answered with an error, such as OOM,
	// READONLY, NOAUTH or NOPERM. go-redis' functions IsOOMError and so on
	// tell which.
	ErrRefused = errors.New("redis refused")

	// ErrForeign means that what is under a key was not written by this
	// package.
	ErrForeign = errors.New("redis has a value under this key that is not a claim")

	// ErrCredentials means that Options.Credentials returned an error.
	ErrCredentials = errors.New("the credentials for redis cannot be read")
)

var (
	errNoKey   = errors.New("redis: the claim has no key")
	errNoLease = errors.New("redis: the claim has no lease")
	errNoTTL   = errors.New("redis: the claim has no time to live")
)

// credentialsError tells an error of Options.Credentials from one of a
// connection.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// kind is what sort of failure an error is.
type kind uint8

const (
	kindNone        kind = iota // there is none
	kindTimeout                 // no answer in time
	kindConnection              // broken, or never made: only this is tried again
	kindAnswer                  // the server's own
	kindCredentials             // they could not be had
	kindClosed
)

// isNil reports whether a command has the answer that there is nothing. It is
// never wrapped. Where it is, it is a sentinel's, which does not know the
// master, and the command was not sent at all.
func isNil(err error) bool { return err == goredis.Nil } //nolint:errorlint // see above

// kindOf sorts what go-redis returned. A nil reply is an answer and no failure.
func kindOf(err error) kind {
	if err == nil || isNil(err) {
		return kindNone
	}
	if _, ok := errors.AsType[*credentialsError](err); ok {
		return kindCredentials
	}
	if _, ok := errors.AsType[goredis.Error](err); ok {
		return kindAnswer
	}
	if errors.Is(err, goredis.ErrClosed) {
		return kindClosed
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, goredis.ErrPoolTimeout) {
		return kindTimeout
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return kindTimeout
	}
	return kindConnection
}

// failure turns what go-redis returned into one of the errors above.
func failure(err error) error {
	switch kindOf(err) {
	case kindNone:
		return nil
	case kindTimeout:
		// Not wrapped: the deadline of the operation is not the caller's.
		return ErrTimeout
	case kindClosed:
		return ErrClosed
	case kindCredentials:
		why, _ := errors.AsType[*credentialsError](err) // alone: around it may be addresses
		return fmt.Errorf("%w: %w", ErrCredentials, why)
	case kindAnswer:
		if goredis.HasErrorPrefix(err, "WRONGTYPE") {
			return fmt.Errorf("%w: %w", ErrForeign, &answerError{err})
		}
		return fmt.Errorf("%w: %w", ErrRefused, &answerError{err})
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, withoutAddress(err))
	}
}

// answerError is an error that the server answered, or a sentinel, without the
// arguments and addresses that some quote.
type answerError struct{ err error }

func (e *answerError) Error() string {
	if goredis.HasErrorPrefix(e.err, "MOVED ") {
		return "MOVED: the server is part of a cluster, which needs the mode cluster"
	}
	text := e.err.Error()
	if answer, ok := errors.AsType[goredis.Error](e.err); ok && strings.HasPrefix(text, noSentinel) {
		if isNil(answer) {
			return "no sentinel knows a master of this name"
		}
		return "no sentinel names the master: " + answer.Error()
	}
	text, _, _ = strings.Cut(text, ", with args beginning with:")
	return text
}

func (e *answerError) Unwrap() error { return e.err }

// withoutAddress takes addresses from an error: it goes to /readyz, where those
// of this network are nobody's business. The log has them.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("lookup: %s", e.Err)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Err != nil {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}

// isSyntaxError reports whether the server does not know SET with NX and GET
// at once, as those before Redis 7.0.
func isSyntaxError(err error) bool { return goredis.HasErrorPrefix(err, "syntax error") }
