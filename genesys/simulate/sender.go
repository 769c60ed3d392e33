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
	transport *http.Transport
	oversized *http.Transport // its own connections: a server may close them without saying so, and a good event must not be lost by that
}

func newSender(u *url.URL, o *Options) *sender {
	return &sender{url: u, opts: o, transport: newTransport(o), oversized: newTransport(o)}
}

// close closes the connections that are not in use.
func (s *sender) close() {
	s.transport.CloseIdleConnections()
	s.oversized.CloseIdleConnections()
}

// send sends m and reads the answer. The latency ends with the answer's header:
// where the answer came before the end of the request, net/http holds back the
// end of the answer's body for up to 50 ms. An answer whose body does not end
// is none; one whose body is cut off still has its status.
func (s *sender) send(ctx context.Context, m message) reply {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	transport := s.transport
	if m.kind == Oversized {
		transport = s.oversized
	}
	begun := time.Now()
	resp, err := transport.RoundTrip(s.request(ctx, m))
	latency := time.Since(begun)
	if err != nil {
		return reply{latency: latency, err: err}
	}
	defer resp.Body.Close()
	code := readCode(resp.Body)
	if ctx.Err() != nil {
		return reply{latency: latency, err: ctx.Err()}
	}
	return reply{latency: latency, status: resp.StatusCode, code: code}
}

func (s *sender) request(ctx context.Context, m message) *http.Request {
	header := s.opts.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	contentType := "application/json"
	if s.opts.Source == SourceOpenMessaging {
		contentType = "application/octet-stream" // which it has been seen to send
	}
	setMissing(header, "Content-Type", contentType)
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
