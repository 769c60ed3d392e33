package genesys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxAnswer is the largest answer that is read, in bytes.
const maxAnswer = 8 << 20

// Request is a call of the API.
type Request struct {
	Method string
	Path   string     // from /api/v2 on
	Query  url.Values // nil for none
	Body   any        // in JSON; nil for none

	// Slow is how much longer than others the call may take: one that has
	// Genesys call somebody else.
	Slow time.Duration
}

// creates reports whether the request makes something new each time.
func (r *Request) creates() bool { return r.Method == http.MethodPost }

// Sender carries out calls: a Client, or what stands in for one.
type Sender interface {
	// Send makes a call and reads its answer into out, which may be nil.
	Send(ctx context.Context, req *Request, out any) error
}

// Client makes calls as an OAuth client. It may be used by many at once.
type Client struct {
	opts    Options
	http    *http.Client
	retries retries
	tokens  tokens
	end     context.CancelFunc

	mu     sync.Mutex
	hide   []string  // what no error may show
	paused time.Time // when the rate limit begins anew
}

// New makes a client. It asks nobody yet.
func New(opts Options) (*Client, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	c := &Client{
		opts:    opts,
		retries: retries{attempts: opts.Attempts, backoff: opts.Backoff, maxWait: opts.MaxWait},
		http: &http.Client{
			Transport:     opts.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.tokens.ctx, c.end = context.WithCancel(context.Background())
	c.tokens.fetch = c.newToken
	c.tokens.timeout = opts.Timeout + opts.MaxWait
	return c, nil
}

// Close ends idle connections, and a fetch of a token. Calls under way end with
// their contexts.
func (c *Client) Close() {
	c.end()
	c.http.CloseIdleConnections()
}

// Hide keeps secrets out of the errors of this client, where Genesys repeats
// what it was sent.
func (c *Client) Hide(secrets ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range secrets {
		if s != "" {
			c.hide = append(slices.DeleteFunc(c.hide, func(other string) bool { return other == s }), s)
		}
	}
	if n := len(c.hide); n > maxHidden { // tokens come and go
		c.hide = c.hide[n-maxHidden:]
	}
}

// maxHidden is how many secrets are remembered.
const maxHidden = 64

// hidden is a text without the secrets.
func (c *Client) hidden(s string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range c.hide {
		s = strings.ReplaceAll(s, secret, "***")
	}
	return s
}

// clean takes the URL out of an error of net/http: ours says where it was.
func clean(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// CheckToken asks for a token, if there is none.
func (c *Client) CheckToken(ctx context.Context) error {
	_, err := c.tokens.get(ctx)
	return err
}

// Send implements Sender. It tries again after 429, 502, 503 and 504, as the
// headers say; a POST only after 429. A token that is refused is fetched again
// once.
func (c *Client) Send(ctx context.Context, req *Request, out any) error {
	body, err := encode(req)
	if err != nil {
		return err
	}
	renewed := false
	for failed := 1; ; failed++ {
		token, err := c.tokens.get(ctx)
		if err != nil {
			return err
		}
		err = c.once(ctx, req, token, body, out)
		if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusUnauthorized && !renewed {
			renewed = true
			failed--
			c.tokens.drop(token)
			continue
		}
		wait, again := c.retries.next(err, failed, req.creates())
		if !again {
			return err
		}
		if cause := pause(ctx, wait); cause != nil {
			return errors.Join(err, cause)
		}
	}
}

func encode(req *Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(req.Body); err != nil {
		return nil, fmt.Errorf("genesys: %s %s: %w", req.Method, req.Path, err)
	}
	return buf.Bytes(), nil
}

// once makes one attempt.
func (c *Client) once(ctx context.Context, req *Request, token string, body []byte, out any) error {
	if err := c.awaitLimit(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout+req.Slow)
	defer cancel()
	target := c.opts.Environment.API + req.Path
	if len(req.Query) > 0 {
		target += "?" + req.Query.Encode()
	}
	hr, err := http.NewRequestWithContext(ctx, req.Method, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("genesys: %s %s: %w", req.Method, req.Path, clean(err))
	}
	hr.Header.Set("Authorization", "Bearer "+token)
	hr.Header.Set("Accept", "application/json")
	hr.Header.Set("User-Agent", "hookgate")
	if body != nil {
		hr.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(hr)
	if err != nil {
		return &transportError{request: req, err: clean(err)}
	}
	defer resp.Body.Close()
	c.heedLimit(resp.Header)
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return &transportError{request: req, err: fmt.Errorf("reading the answer: %w", err)}
	}
	return c.read(req, resp, answer, out)
}

// read takes the answer apart.
func (c *Client) read(req *Request, resp *http.Response, answer []byte, out any) error {
	bad := func(reason string, err error) error {
		return &answerError{request: req, status: resp.StatusCode, context: plain(resp.Header.Get(headerContextID)), reason: reason, err: err}
	}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return bad("is a redirect: look at the region, or the URL of the API", nil)
	case resp.StatusCode < 200 || resp.StatusCode >= 400:
		return readError(req, resp, answer, c.hidden)
	case len(answer) > maxAnswer:
		return bad(fmt.Sprintf("is larger than %d bytes", maxAnswer), nil)
	case out == nil:
		return nil
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "application/json" {
		return bad("is not JSON: is there a proxy in between, or another host at this URL?", nil)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return bad("is not the JSON that was expected", err)
	}
	return nil
}

// heedLimit remembers that the rate limit is used up.
func (c *Client) heedLimit(h http.Header) {
	d := min(exhausted(h), c.opts.MaxWait)
	if d <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = time.Now().Add(d)
}

// awaitLimit waits until the rate limit begins anew.
func (c *Client) awaitLimit(ctx context.Context) error {
	c.mu.Lock()
	d := time.Until(c.paused)
	c.mu.Unlock()
	if d <= 0 {
		return nil
	}
	return pause(ctx, d)
}

// Interface guard
var _ Sender = (*Client)(nil)
