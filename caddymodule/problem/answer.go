package problem

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/hookgate/hookgate/hook"
)

// answer is how a code is told to the sender.
type answer struct {
	status     int
	title      string
	short      string        // the member "error", as older receivers sent it; default: the title
	detail     string        // where the error has none
	retryAfter time.Duration // 0: no Retry-After
}

// answers has every code. Our own failures are never a 4xx: senders do not
// repeat those, and the event would be lost.
var answers = map[hook.Code]answer{
	hook.CodeUnsupportedMediaType: {
		status: http.StatusUnsupportedMediaType, title: "Unsupported Media Type",
		detail: "send application/json in UTF-8, without a Content-Encoding",
	},
	hook.CodeInvalidJSON: {
		status: http.StatusBadRequest, title: "Invalid JSON",
		detail: "the body is not one JSON object",
	},
	hook.CodeMissingEventID: {
		status: http.StatusBadRequest, title: "Missing event ID", short: "Missing idempotency key",
		detail: "the event has no usable ID",
	},
	hook.CodeContractViolation: {
		status: http.StatusUnprocessableEntity, title: "Contract not met",
		detail: "the body does not meet the contract of this hook",
	},
	hook.CodeConflict: {
		status: http.StatusConflict, title: "Conflict",
		detail: "another body was taken under this event ID before",
	},
	hook.CodeBodyTooLarge: {
		status: http.StatusRequestEntityTooLarge, title: "Body too large",
		detail: "the body is larger than this hook takes",
	},
	hook.CodeMethodNotAllowed: {
		status: http.StatusMethodNotAllowed, title: "Method Not Allowed",
		detail: "use POST",
	},
	hook.CodeForbidden: {
		status: http.StatusForbidden, title: "Forbidden",
		detail: "this address may not use this hook",
	},
	hook.CodeUnauthorized: {
		status: http.StatusUnauthorized, title: "Unauthorized",
		detail: "the credentials are missing or wrong",
	},
	hook.CodeStale: {
		status: http.StatusUnauthorized, title: "Unauthorized",
		detail: "the request is too old, or its clock is wrong",
	},
	hook.CodeTooEarly: {
		status: http.StatusTooEarly, title: "Too Early",
		detail: "send it again once the TLS handshake is complete",
	},
	hook.CodeTooManyRefused: {
		status: http.StatusTooManyRequests, title: "Too many refused requests", retryAfter: time.Second,
		detail: "too many requests from this address were refused; mend them before you send more",
	},
	hook.CodeInFlight: {
		status: http.StatusServiceUnavailable, title: "In flight", retryAfter: time.Second,
		detail: "the first copy of this event is still being taken; send it again with the same ID",
	},
	hook.CodeStoreUnavailable: {
		status: http.StatusServiceUnavailable, title: "Store unavailable", retryAfter: 2 * time.Second,
		detail: "the event was not taken; send it again with the same ID",
	},
	hook.CodeQueueUnavailable: {
		status: http.StatusServiceUnavailable, title: "Queue unavailable", retryAfter: 2 * time.Second,
		detail: "the event was not taken; send it again with the same ID",
	},
	hook.CodeAllowlistUnavailable: {
		status: http.StatusServiceUnavailable, title: "Allowlist unavailable", retryAfter: 5 * time.Second,
		detail: "the allowed addresses are not known yet; send it again",
	},
	hook.CodeOverloaded: {
		status: http.StatusServiceUnavailable, title: "Overloaded", retryAfter: time.Second,
		detail: "too many requests at once; send it again with the same ID",
	},
	hook.CodeDraining: {
		status: http.StatusServiceUnavailable, title: "Draining", retryAfter: time.Second,
		detail: "this server is stopping; send it again with the same ID",
	},
	hook.CodeMisconfigured: {
		status: http.StatusServiceUnavailable, title: "Misconfigured", retryAfter: 5 * time.Second,
		detail: "this server is not set up rightly; its log says how",
	},
	hook.CodeOutcomeUnknown: {
		status: http.StatusServiceUnavailable, title: "Outcome unknown", retryAfter: 3 * time.Second,
		detail: "the event may have been taken or not; send it again with the same ID",
	},
	hook.CodeDeadlineExceeded: {
		status: http.StatusGatewayTimeout, title: "Deadline exceeded", retryAfter: time.Second,
		detail: "the time for this request is over and the event was not taken; send it again with the same ID",
	},
	hook.CodeInternal: {
		status: http.StatusInternalServerError, title: "Internal error", retryAfter: 2 * time.Second,
		detail: "send it again with the same ID",
	},
}

// Error turns an error of the core into the error that Caddy's handlers
// return, with the status of its code. The result must be returned as it is:
// wrapped once more it would lose its status.
func Error(err error) error {
	if _, ours := errors.AsType[*hook.Error](err); !ours {
		err = &hook.Error{Code: hook.CodeOf(err), Err: err} // so that nobody takes it for another module's
	}
	// Not Error(status, err): that would return a HandlerError within err, such
	// as reverse_proxy's, and its status.
	he := caddyhttp.Error(statusOf(err), nil)
	he.Err = err
	return he
}

// statusOf returns the status for an error of the core.
func statusOf(err error) int {
	code := hook.CodeOf(err)
	if code == hook.CodeOutcomeUnknown && errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	return answers[code].status
}

// CodeOf returns the code that an error is answered with, and "" where it is
// another module's and none fits.
func CodeOf(err error) hook.Code {
	code, _ := resolve(err)
	return code
}

// resolve returns the code and the status of an error.
func resolve(err error) (hook.Code, int) {
	_, isOurs := errors.AsType[*hook.Error](err)
	he, isHandlerError := errors.AsType[caddyhttp.HandlerError](err)
	switch {
	case isOurs || !isHandlerError:
		return hook.CodeOf(err), statusOf(err)
	case he.StatusCode < 400 || he.StatusCode > 599:
		return hook.CodeInternal, http.StatusInternalServerError
	}
	return codeOf(he), he.StatusCode
}

// codeOf gives the errors of other modules a code where one fits. The method
// and the allowlist of a hook are such: Caddy's own error handler raises them.
// What reverse_proxy says of its upstream is another: only where it got no
// connection is it certain that the event was not taken.
func codeOf(he caddyhttp.HandlerError) hook.Code {
	switch he.StatusCode {
	case http.StatusUnauthorized:
		return hook.CodeUnauthorized
	case http.StatusForbidden:
		return hook.CodeForbidden
	case http.StatusMethodNotAllowed:
		return hook.CodeMethodNotAllowed
	case http.StatusRequestTimeout:
		return hook.CodeDeadlineExceeded
	case http.StatusRequestEntityTooLarge:
		return hook.CodeBodyTooLarge
	case http.StatusUnsupportedMediaType:
		return hook.CodeUnsupportedMediaType
	case http.StatusTooEarly:
		return hook.CodeTooEarly
	case http.StatusTooManyRequests:
		return hook.CodeOverloaded
	case http.StatusServiceUnavailable:
		return hook.CodeQueueUnavailable
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		if _, ok := errors.AsType[reverseproxy.DialError](he); ok {
			return hook.CodeQueueUnavailable
		}
		return hook.CodeOutcomeUnknown
	}
	if he.StatusCode >= 500 {
		return hook.CodeInternal
	}
	return ""
}
