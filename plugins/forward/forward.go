package forward

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// Handler sends events to a URL. It is safe for use by many goroutines.
type Handler struct {
	opts   Options
	url    *url.URL // without credentials
	basic  string   // the credentials of the URL
	client *http.Client
	base   *http.Transport
}

// New checks the options. It does not connect.
func New(opts Options) (*Handler, error) {
	opts, u, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{opts: opts, url: u}
	if u.User != nil {
		password, _ := u.User.Password()
		h.basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
		u.User = nil // so that it is in no error
	}
	h.base = &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        opts.TLS.Clone(),
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DisableCompression:     true, // the answer is dropped
		MaxIdleConns:           opts.Connections,
		MaxIdleConnsPerHost:    opts.Connections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxAnswer,
	}
	h.client = &http.Client{
		Transport:     h.base,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h, nil
}

// Handle implements hook.Handler. Its errors are *hook.Fault.
func (h *Handler) Handle(ctx context.Context, ev *hook.Event) error {
	ctx, cancel := context.WithTimeout(ctx, h.opts.Timeout)
	defer cancel()
	header, err := h.header(ctx, ev)
	if err != nil {
		return &hook.Fault{Kind: hook.KindTransient, Message: "the credentials for the downstream cannot be read", Err: err}
	}
	// The library sends a request anew when a connection that was kept turns
	// out to be dead, because the header Idempotency-Key says that it may.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url.String(), bytes.NewReader(ev.Body))
	if err != nil {
		return &hook.Fault{Kind: hook.KindTransient, Message: "no request can be made"}
	}
	req.Header = header
	if host := header.Get("Host"); host != "" {
		req.Host = host
		header.Del("Host")
	}
	res, err := h.client.Do(req)
	if err != nil {
		// The library's error quotes the URL, and is not kept.
		return &hook.Fault{Kind: hook.KindTransient, Message: reason(ctx, err, h.opts.Timeout), Err: ctx.Err()}
	}
	drop(res.Body, cancel)
	return judge(res.StatusCode, res.Header, time.Now())
}

// drop reads an answer to its end, so that the connection can be used again,
// unless it is too long or too slow. The status is what counts.
func drop(body io.ReadCloser, cancel context.CancelFunc) {
	defer time.AfterFunc(answerTimeout, cancel).Stop()
	_, _ = io.CopyN(io.Discard, body, maxAnswer)
	_ = body.Close()
}

// Close ends the connections that nobody uses.
func (h *Handler) Close(context.Context) error {
	h.base.CloseIdleConnections()
	return nil
}

// Interface guard
var _ hook.Handler = (*Handler)(nil)
