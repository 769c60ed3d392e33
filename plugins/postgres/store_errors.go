package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Why a store could not be asked. Methods return them wrapped. None of them,
// nor what they wrap, quotes a DSN or a key.
var (
	// ErrNotStarted means that Start was not called.
	ErrNotStarted = errors.New("postgres store is not started")

	// ErrClosed means that Close was called.
	ErrClosed = errors.New("postgres store is closed")

	// ErrTimeout means that the server did not answer in time. What was asked
	// for may have happened.
	ErrTimeout = errors.New("postgres did not answer in time")

	// ErrUnreachable means that there is no connection, or that it broke. What
	// was asked for may have happened.
	ErrUnreachable = errors.New("postgres cannot be reached")

	// ErrRefused means that the server answered with an error.
	ErrRefused = errors.New("postgres refused")
)

var (
	errNoAnswerYet = errors.New("postgres has not answered yet")
	errNoKey       = errors.New("postgres: the claim has no key")
	errNoLease     = errors.New("postgres: the claim has no lease")
	errNoTTL       = errors.New("postgres: the claim has no time to live")
)

// toMigrate are the SQLSTATEs of a schema that is not there, or an old one.
var toMigrate = map[string]bool{"42P01": true, "42703": true, "3F000": true}

// isLost reports whether an error is that of a connection which was there and
// is not any more, with time left to make another.
func isLost(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return false
	}
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return !pgconn.Timeout(err)
	}
	// The server shuts down, or ends the connection; or it has become a
	// standby, and the DSN may name another.
	return strings.HasPrefix(answer.Code, "57P0") || strings.HasPrefix(answer.Code, "08") || answer.Code == readOnly
}

const readOnly = "25006"

// failure turns what the driver returned into one of the errors above.
func failure(ctx context.Context, err error) error {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		return nil
	case ok && toMigrate[answer.Code]:
		return fmt.Errorf("%w: SQLSTATE %s, the table of the claims is missing or an old one: run hookgate store migrate", ErrRefused, answer.Code)
	case ok && hints[answer.Code] != "":
		return fmt.Errorf("%w: SQLSTATE %s, %s", ErrRefused, answer.Code, hints[answer.Code])
	case ok:
		return fmt.Errorf("%w: SQLSTATE %s", ErrRefused, answer.Code)
	case ctx.Err() != nil, pgconn.Timeout(err):
		// Not wrapped: the deadline of the operation is not the caller's.
		return ErrTimeout
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, strings.TrimPrefix(reason(ctx, err, 0), "the database cannot be reached: "))
}
