package hook

import (
	"context"
	"errors"
	"time"
)

// Code is the stable word by which an answer says why an event was not
// accepted. Codes are metric labels: the set is closed.
type Code string

// The codes. docs/answers.md has them with their statuses.
const (
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeInvalidJSON          Code = "invalid_json"
	CodeMissingEventID       Code = "missing_event_id"
	CodeContractViolation    Code = "contract_violation"
	CodeConflict             Code = "conflict"
	CodeBodyTooLarge         Code = "body_too_large"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeForbidden            Code = "forbidden"
	CodeUnauthorized         Code = "unauthorized"
	CodeStale                Code = "stale"
	CodeTooEarly             Code = "too_early"
	CodeTooManyRefused       Code = "too_many_refused"
	CodeInFlight             Code = "in_flight"
	CodeStoreUnavailable     Code = "store_unavailable"
	CodeQueueUnavailable     Code = "queue_unavailable"
	CodeAllowlistUnavailable Code = "allowlist_unavailable"
	CodeOverloaded           Code = "overloaded"
	CodeDraining             Code = "draining"
	CodeMisconfigured        Code = "misconfigured"
	CodeOutcomeUnknown       Code = "outcome_unknown"
	CodeDeadlineExceeded     Code = "deadline_exceeded"
	CodeInternal             Code = "internal"
)

// Outcome is what became of a request. Together with the codes they are the
// values of the outcome label.
type Outcome string

// The outcomes.
const (
	OutcomeAccepted  Outcome = "accepted"
	OutcomeDuplicate Outcome = "duplicate"
	OutcomeParked    Outcome = "parked"

	// OutcomeRefused is counted where a handler behind webhook_dedup answered
	// something else than a 2xx itself.
	OutcomeRefused Outcome = "refused"
)

// Violation is one way in which a body does not meet its contract. It names
// the place and never the value.
type Violation struct {
	Pointer string `json:"pointer"` // JSON Pointer, RFC 6901
	Code    string `json:"code"`    // missing, type, or the JSON Schema keyword that failed
}

// Error says why a request was not accepted, in terms of the answer.
type Error struct {
	Code       Code
	Detail     string        // a sentence for the sender; never a value of the body or a secret
	RetryAfter time.Duration // 0 for the code's own
	Violations []Violation   // for CodeContractViolation
	Challenge  string        // WWW-Authenticate, for CodeUnauthorized and CodeStale
	Err        error         // the cause, for the log
}

// Error implements error.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error with the same code and nothing else,
// which is how the sentinels below are compared.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Detail == "" && t.Err == nil
}

// Sentinels of the accepting core, for errors.Is.
var (
	ErrInFlight         error = &Error{Code: CodeInFlight}
	ErrStoreUnavailable error = &Error{Code: CodeStoreUnavailable}
	ErrConflict         error = &Error{Code: CodeConflict}
	ErrDraining         error = &Error{Code: CodeDraining}
)

// CodeOf returns the code that an error stands for: that of the *Error in its
// chain, or the one that follows from the errors of queues and contexts.
// Unknown errors are CodeInternal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if _, ok := errors.AsType[*InDoubt](err); ok {
		return CodeOutcomeUnknown
	}
	switch {
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrRefused):
		return CodeQueueUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return CodeDeadlineExceeded
	}
	return CodeInternal
}
