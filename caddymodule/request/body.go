package request

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/hook"
)

// DefaultMaxBody is the cap on a body where none is set, in bytes.
const DefaultMaxBody = 64 << 10

// How much room a body gets before a byte of it is there, in bytes. What
// Content-Length promises may never come: a cap of many megabytes must not be
// taken from memory by everybody who opens a connection.
const (
	firstRead    = 2 << 10  // of unknown length
	firstPromise = 64 << 10 // at most, of a length that was promised
)

type body struct {
	read  bool
	bytes []byte
	err   error
}

// Body returns the body of a request of at most max bytes (0: DefaultMaxBody).
// It reads it once: later calls return the same bytes, and the request gets a
// body that can be read again, for handlers that pass it on. The cap counts
// the bytes that arrive and not what Content-Length claims: data actions send
// chunked bodies. A part of a body is never returned.
//
// Its errors are *hook.Error: too large, too late, or broken off.
func Body(r *http.Request, limit int64) ([]byte, error) {
	st := Of(r)
	if limit <= 0 {
		limit = DefaultMaxBody
	}
	if !st.body.read {
		begin := time.Now()
		st.body.read = true
		st.body.bytes, st.body.err = readAll(r, limit)
		st.Took(telemetry.StageBody, time.Since(begin))
		st.Arrived()
	}
	if st.body.err != nil {
		return nil, st.body.err
	}
	if int64(len(st.body.bytes)) > limit { // read under a larger cap before
		return nil, &hook.Error{Code: hook.CodeBodyTooLarge}
	}
	return st.body.bytes, nil
}

func readAll(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, &hook.Error{Code: hook.CodeBodyTooLarge}
	}
	room := int64(firstRead)
	if r.ContentLength > 0 {
		room = min(r.ContentLength, firstPromise)
	}
	buf, err := fill(make([]byte, 0, min(room, limit)+1), r.Body, limit)
	if err != nil {
		return nil, err
	}
	again := &replay{Closer: r.Body}
	again.Reset(buf)
	r.Body = again
	r.ContentLength = int64(len(buf))
	return buf, nil
}

// fill reads all there is, as long as it is not more than limit. One byte of room
// beyond what comes is for its end.
func fill(buf []byte, body io.Reader, limit int64) ([]byte, error) {
	for {
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, &hook.Error{Code: hook.CodeBodyTooLarge}
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, readError(err)
		case len(buf) == cap(buf):
			buf = slices.Grow(buf, int(min(int64(len(buf)), limit+1-int64(len(buf)))))
		}
	}
}

// readError says what ended a read. The body's own error may be a HandlerError
// of an earlier handler, such as request_body's 413.
func readError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &hook.Error{Code: hook.CodeBodyTooLarge, Err: tooLarge}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &hook.Error{Code: hook.CodeDeadlineExceeded, Detail: "the body did not arrive in time; send it again with the same ID", Err: err}
	}
	return &hook.Error{Code: hook.CodeInvalidJSON, Detail: "the body broke off", Err: err}
}

// replay is a body that was read already. Closing it closes the original.
type replay struct {
	bytes.Reader
	io.Closer
}
