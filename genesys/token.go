package genesys

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// refreshBefore is how long before its end a token is replaced: a call that
// takes its time is still good. For short-lived tokens it is a tenth of their
// life.
const refreshBefore = time.Minute

// tokens keeps the token of a client. Whoever comes while one is fetched waits
// for that.
type tokens struct {
	ctx     context.Context // ends fetches
	fetch   func(context.Context) (*oauth2.Token, error)
	timeout time.Duration // of a fetch, with all its attempts

	mu      sync.Mutex
	token   string
	renewAt time.Time
	flight  *flight // nil: nobody fetches
}

// flight is a fetch under way.
type flight struct {
	done  chan struct{}
	token string
	err   error
}

// get returns a token that is good for a while. The fetch does not end with the
// context of the one who began it: others wait for it too.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	if t.token != "" && time.Now().Before(t.renewAt) {
		defer t.mu.Unlock()
		return t.token, nil
	}
	f := t.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		t.flight = f
		go t.fly(f)
	}
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (t *tokens) fly(f *flight) {
	ctx, cancel := context.WithTimeout(t.ctx, t.timeout)
	defer cancel()
	asked := time.Now()
	token, err := t.fetch(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flight = nil
	if f.err = err; err == nil {
		f.token, t.token = token.AccessToken, token.AccessToken
		t.renewAt = renewal(asked, token.Expiry)
	}
	close(f.done)
}

// renewal is when a token is replaced. One that does not say how long it lives
// is good until it is refused.
func renewal(asked, expiry time.Time) time.Time {
	if expiry.IsZero() {
		return asked.Add(24 * time.Hour)
	}
	life := expiry.Sub(asked)
	return expiry.Add(-min(refreshBefore, life/10))
}

// drop forgets a token that was refused. One that has taken its place stays.
func (t *tokens) drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token = ""
	}
}

// fetchToken asks the login for a token, once.
func (c *Client) fetchToken(ctx context.Context) (*oauth2.Token, error) {
	creds, err := c.opts.Credentials()
	if err == nil {
		err = creds.check()
	}
	if err != nil {
		return nil, err
	}
	c.Hide(creds.ClientSecret)
	conf := clientcredentials.Config{
		ClientID:     creds.ClientID,
		ClientSecret: creds.ClientSecret,
		TokenURL:     c.opts.Environment.Login + tokenPath,
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	token, err := conf.Token(context.WithValue(ctx, oauth2.HTTPClient, c.http))
	if err == nil {
		c.Hide(token.AccessToken)
		return token, nil
	}
	req := &Request{Method: http.MethodPost, Path: tokenPath}
	if re, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return nil, readError(req, re.Response, re.Body, c.hidden)
	}
	return nil, &transportError{request: req, err: clean(err)}
}

// newToken is fetchToken with as many attempts as it takes.
func (c *Client) newToken(ctx context.Context) (*oauth2.Token, error) {
	for failed := 1; ; failed++ {
		token, err := c.fetchToken(ctx)
		if err == nil {
			return token, nil
		}
		wait, again := c.retries.next(err, failed, false)
		if !again || pause(ctx, wait) != nil {
			return nil, err
		}
	}
}
