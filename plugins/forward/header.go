package forward

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookgate/hookgate/hook"
)

// validName reports whether a text is a token of RFC 9110, section 5.6.2, which
// the library refuses to send otherwise.
func validName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// validValue reports whether a text can be the value of a header.
func validValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// header returns what is sent with an event.
func (h *Handler) header(ctx context.Context, ev *hook.Event) (http.Header, error) {
	out := h.opts.Header.Clone()
	if out == nil {
		out = http.Header{}
	}
	set := func(name, value string) {
		if value != "" && validValue(value) { // a message of another program may hold anything
			out.Set(name, value)
		}
	}
	set("Content-Type", "application/octet-stream")
	set("Content-Type", ev.ContentType)
	out.Set("Idempotency-Key", key(ev.ID))
	set("X-Hookgate-Hook", ev.Hook)
	if !ev.ReceivedAt.IsZero() {
		set("X-Hookgate-Received-At", ev.ReceivedAt.UTC().Format(time.RFC3339Nano))
	}
	set("X-Hookgate-Attempt", strconv.Itoa(ev.Attempt+1))
	set("X-Hookgate-Replay", strconv.Itoa(ev.Replay))
	set("X-Hookgate-Fingerprint", ev.Fingerprint.String())
	set("X-Hookgate-Drift", ev.Header[hook.HeaderDrift])
	// The standard writes the names of Trace Context in lower case.
	traced := traceContext(ctx, ev)
	if tp := traced[hook.HeaderTraceparent]; tp != "" && validValue(tp) {
		out["traceparent"] = []string{tp}
		if ts := traced[hook.HeaderTracestate]; ts != "" && validValue(ts) {
			out["tracestate"] = []string{ts}
		}
	}
	if out.Get("User-Agent") == "" {
		out.Set("User-Agent", "hookgate")
	}
	auth, err := h.authorization()
	if auth != "" {
		out.Set("Authorization", auth)
	}
	return out, err
}

// traceContext returns that of the span of this attempt, and without one that of
// the request at the edge.
func traceContext(ctx context.Context, ev *hook.Event) map[string]string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ev.Header
	}
	own := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, own)
	return own
}

// key returns an event ID as it is, if it survives as the value of a header, or
// else its digest.
func key(id string) string {
	for i := range len(id) {
		if id[i] <= ' ' && (id[i] != ' ' || i == 0 || i == len(id)-1) || id[i] > '~' {
			return hook.DigestID(sha256.Sum256([]byte(id)))
		}
	}
	return id
}

// authorization returns the credentials of now.
func (h *Handler) authorization() (string, error) {
	switch {
	case h.opts.BearerFile != "":
		token, err := secret(h.opts.BearerFile)
		if err != nil {
			return "", err
		}
		return "Bearer " + token, nil
	case h.opts.BasicFile != "":
		pair, err := secret(h.opts.BasicFile)
		if err == nil && !strings.Contains(pair, ":") {
			err = errors.New("it is not user:password")
		}
		if err != nil {
			return "", err
		}
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
	}
	return h.basic, nil
}

// secret reads a file with a secret, less the end of its line.
func secret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	s := strings.TrimRight(string(b), "\r\n")
	switch {
	case len(b) > maxSecret:
		return "", errors.New("it is too long")
	case s == "":
		return "", errors.New("it is empty")
	case !validValue(s):
		return "", errors.New("it cannot be sent: it has more than one line, or a control character")
	}
	return s, nil
}
