package simulate

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"time"
)

// message is one request to send.
type message struct {
	kind    Kind
	body    []byte
	chunked bool
}

// sender sends one message at a time, from many goroutines.
type sender struct {
	url       *url.URL
	opts      *Options
	transport http.RoundTripper
}

// send sends m and reads the answer. An error inside the answer's body does not
// count: the status is the answer.
func (s *sender) send(ctx context.Context, m message) reply {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	begun := time.Now()
	resp, err := s.transport.RoundTrip(s.request(ctx, m))
	if err != nil {
		return reply{latency: time.Since(begun), err: err}
	}
	defer resp.Body.Close()
	code := readCode(resp.Body)
	return reply{latency: time.Since(begun), status: resp.StatusCode, code: code}
}

func (s *sender) request(ctx context.Context, m message) *http.Request {
	header := s.opts.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	setMissing(header, "Content-Type", "application/json")
	setMissing(header, "Accept", "application/json")
	setMissing(header, "User-Agent", "hookgate-simulate")
	if s.opts.HMAC != "" {
		header.Set("X-Hub-Signature-256", sign(s.opts.HMAC, m.body))
	}
	req := &http.Request{
		Method:        http.MethodPost,
		URL:           s.url,
		Host:          s.url.Host,
		Header:        header,
		Body:          s.reader(ctx, m),
		ContentLength: int64(len(m.body)),
	}
	if m.chunked {
		req.ContentLength = -1
	}
	return req.WithContext(ctx)
}

func (s *sender) reader(ctx context.Context, m message) io.ReadCloser {
	switch {
	case m.kind == Slow:
		return newTrickle(ctx, m.body, s.opts.Deadline)
	case m.chunked:
		return lengthless{bytes.NewReader(m.body)}
	}
	return io.NopCloser(bytes.NewReader(m.body))
}

// sign makes the signature of Open Messaging, which is in base64 and not in
// hexadecimal as with other senders of this header field.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func setMissing(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}
