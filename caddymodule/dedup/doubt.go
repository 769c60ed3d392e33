package dedup

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/hookgate/hookgate/hook"
)

// wire knows whether the handlers behind webhook_dedup had a connection to
// send the request on. Their transports report it through the context, as
// net/http's and reverse_proxy's do; one that does not, such as FastCGI's,
// shows as neither asked nor used.
type wire struct {
	asked atomic.Bool // for a connection
	used  atomic.Bool // got one: from then on nobody knows what was sent
}

// watch returns a context whose requests are reported.
func (s *wire) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { s.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { s.used.Store(true) },
	})
}

// noEffect are the codes of errors before anything was sent on, or after it
// was refused as a whole. deadline_exceeded is none of them: fail_fast gives it
// to whatever took too long, and so is not internal.
var noEffect = map[hook.Code]bool{
	hook.CodeUnsupportedMediaType: true,
	hook.CodeInvalidJSON:          true,
	hook.CodeMissingEventID:       true,
	hook.CodeContractViolation:    true,
	hook.CodeConflict:             true,
	hook.CodeBodyTooLarge:         true,
	hook.CodeMethodNotAllowed:     true,
	hook.CodeForbidden:            true,
	hook.CodeUnauthorized:         true,
	hook.CodeStale:                true,
	hook.CodeTooEarly:             true,
	hook.CodeTooManyRefused:       true,
	hook.CodeInFlight:             true,
	hook.CodeStoreUnavailable:     true,
	hook.CodeQueueUnavailable:     true,
	hook.CodeAllowlistUnavailable: true,
	hook.CodeOverloaded:           true,
	hook.CodeDraining:             true,
	hook.CodeMisconfigured:        true,
}

// noUpstream is the text of reverse_proxy's error where it found no upstream to
// try, ever: an earlier attempt's error would stand in its place. Caddy does
// not export it.
const noUpstream = "no upstreams available"

// statusClientClosed is what reverse_proxy answers when its client is gone.
const statusClientClosed = 499

// definite reports whether an error says for certain that the request did not
// have its effect. The last error alone does not: an attempt that was reset may
// be followed by one that found nobody, and a route for the upstream's answer
// may fail after the upstream did its work. So whatever used a connection is in
// doubt.
func (s *wire) definite(err error) bool {
	if _, ok := errors.AsType[*hook.InDoubt](err); ok || s.used.Load() {
		return false
	}
	if noEffect[hook.CodeOf(err)] {
		return true
	}
	if _, ok := errors.AsType[reverseproxy.DialError](err); ok {
		return s.asked.Load() // else nobody told us of the attempts before
	}
	he, ok := errors.AsType[caddyhttp.HandlerError](err)
	switch {
	case !ok, he.StatusCode == statusClientClosed:
		return false
	case he.StatusCode == http.StatusServiceUnavailable:
		return he.Err != nil && he.Err.Error() == noUpstream
	}
	return he.StatusCode >= 400 && he.StatusCode < 500
}
