package dedup

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/hook"
)

// work is the handlers behind webhook_dedup, run under a claim.
type work struct {
	w     http.ResponseWriter
	r     *http.Request
	next  caddyhttp.Handler
	state *request.State

	wire     wire
	rec      recorder
	passed   error // what next returned, to be returned as it is
	panicked any   // what next panicked with, once its outcome was settled
}

// errNotDone releases the claim: the answer, which was sent already, says that
// the event was not taken.
var errNotDone = errors.New("the answer was not a 2xx")

// errSenderGone is why work stopped that had no deadline of its own.
var errSenderGone = errors.New("the sender hung up before the answer")

// run implements the work of accept.Core: nil commits, a *hook.InDoubt leaves
// the claim alone, any other error releases it.
func (k *work) run(ctx context.Context) error {
	k.state.Claimed = true
	k.rec.ResponseWriterWrapper = &caddyhttp.ResponseWriterWrapper{ResponseWriter: k.w}
	err := k.serve(k.wire.watch(ctx))

	if k.rec.status != 0 {
		// The header is out: it tells what became of the event, even if the
		// rest of the answer was cut off.
		k.passed = err
		switch {
		case k.rec.success():
			return nil
		case k.rec.status == statusClientClosed: // no answer of the upstream
			return &hook.InDoubt{Cause: errSenderGone}
		}
		return errNotDone
	}
	if err == nil {
		err = problem.Error(&hook.Error{Code: hook.CodeMisconfigured, Detail: "no handler behind webhook_dedup answered"})
	}
	if k.wire.definite(err) {
		k.passed = err
		return err
	}
	if _, ok := errors.AsType[*hook.InDoubt](err); ok {
		return err
	}
	return &hook.InDoubt{Cause: err}
}

// serve calls next. A panic is in doubt, so it goes on to Core as one; except
// for the abort of a proxied answer whose status is known.
func (k *work) serve(ctx context.Context) error {
	defer func() {
		if !k.rec.success() {
			return
		}
		if p := recover(); p == http.ErrAbortHandler {
			k.panicked = p
		} else if p != nil {
			panic(p)
		}
	}()
	return k.next.ServeHTTP(&k.rec, k.r.WithContext(ctx))
}

// detach keeps claim and work going when the sender hangs up, or closes its half
// of the connection behind the body, up to the deadline of the request: half-done
// work would be in doubt, and its retry would run it again. Without a deadline
// nothing would end it, so there the sender's hanging up does.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// answered reports whether the sender has an answer from next.
func (k *work) answered() bool { return k.rec.status != 0 }

// outcome is what the answer of next is counted as.
func (k *work) outcome() hook.Outcome {
	if k.rec.success() {
		return hook.OutcomeAccepted
	}
	return hook.OutcomeRefused
}

// recorder notes the status of an answer on its way to the sender.
type recorder struct {
	*caddyhttp.ResponseWriterWrapper
	status int
}

func (rec *recorder) success() bool { return rec.status >= 200 && rec.status < 300 }

// WriteHeader implements http.ResponseWriter.
func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		rec.status = status
	}
	rec.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (rec *recorder) Write(p []byte) (int, error) {
	rec.implicit()
	return rec.ResponseWriterWrapper.Write(p)
}

// ReadFrom implements io.ReaderFrom, for sendfile.
func (rec *recorder) ReadFrom(src io.Reader) (int64, error) {
	rec.implicit()
	return rec.ResponseWriterWrapper.ReadFrom(src)
}

// FlushError is what http.ResponseController looks for. A flush sends the header.
func (rec *recorder) FlushError() error {
	err := http.NewResponseController(rec.ResponseWriter).Flush()
	if err == nil {
		rec.implicit()
	}
	return err
}

func (rec *recorder) implicit() {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
}
