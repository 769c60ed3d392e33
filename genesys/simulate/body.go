package simulate

import (
	"bytes"
	"context"
	"io"
	"time"
)

// lengthless hides from net/http how long a body is, so that it is sent in
// chunks (HTTP/1.1) or without a content-length (HTTP/2).
type lengthless struct{ io.Reader }

// Close implements io.Closer.
func (lengthless) Close() error { return nil }

// trickle gives a body away in small pieces, each after a pause. It ends early,
// with the context's error, when the context does.
type trickle struct {
	ctx   context.Context
	rest  *bytes.Reader
	piece int
	pause time.Duration
}

// slowPieces is in how many pieces a slow body is sent.
const slowPieces = 30

// slowness is how long a slow body takes, in deadlines.
const slowness = 3

func newTrickle(ctx context.Context, body []byte, deadline time.Duration) *trickle {
	return &trickle{
		ctx:   ctx,
		rest:  bytes.NewReader(body),
		piece: (len(body) + slowPieces - 1) / slowPieces,
		pause: slowness * deadline / slowPieces,
	}
}

// Read implements io.Reader.
func (t *trickle) Read(p []byte) (int, error) {
	timer := time.NewTimer(t.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return t.rest.Read(p[:min(len(p), t.piece)])
	case <-t.ctx.Done():
		return 0, t.ctx.Err()
	}
}

// Close implements io.Closer. Reading ends with the context.
func (t *trickle) Close() error { return nil }
