package forward

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options are the settings of a Handler.
type Options struct {
	// URL is where events are sent. A user and a password in it are sent as
	// Basic credentials. Required.
	URL string

	// Timeout bounds an attempt, from the connection to the header of the
	// answer. Default: 30s.
	Timeout time.Duration

	// Header is sent with each event. It cannot replace what the Handler
	// itself sends. Default: none.
	Header http.Header

	// BearerFile is a file with a token, which is sent as Bearer credentials.
	// It is read for each event, so that a changed one is used at once.
	// Default: none.
	BearerFile string

	// BasicFile is a file with user:password, which is sent as Basic
	// credentials. It is read for each event. Default: none.
	BasicFile string

	// TLS is used towards https URLs. Default: the system's authorities, TLS
	// 1.2 or newer.
	TLS *tls.Config

	// Connections is how many idle connections are kept. Default: 64.
	Connections int
}

// Bounds that are nobody's business to set.
const (
	maxAnswer     = 64 << 10    // bytes that are read of an answer
	answerTimeout = time.Second // for the body of an answer, whose status is known
	maxRetryAfter = 7 * 24 * time.Hour
	maxSecret     = 64 << 10 // bytes of a file with credentials

	// An HTTP/2 connection outlives the attempts that time out on it. One on which
	// nothing comes is asked for a sign of life, or each attempt would go to a
	// node that is gone until the kernel gives it up, a quarter of an hour later.
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
)

// reserved are the names that Options.Header must not have.
var reserved = []string{
	"Idempotency-Key", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding",
	"Connection", "Te", "Trailer", "Upgrade", "Expect", "Traceparent", "Tracestate",
}

// Check returns what New would refuse.
func (o Options) Check() error {
	_, _, err := o.withDefaults()
	return err
}

// withDefaults checks the options and fills in what was left out.
func (o Options) withDefaults() (Options, *url.URL, error) {
	u, err := url.Parse(o.URL)
	switch {
	case o.URL == "":
		return o, nil, errors.New("forward: a URL is required")
	case err != nil:
		return o, nil, errors.New("forward: this is not a URL such as http://host:port/path") // the error quotes it
	case u.Scheme != "http" && u.Scheme != "https":
		return o, nil, errors.New("forward: the scheme of the URL is not http or https")
	case u.Opaque != "" || u.Hostname() == "":
		return o, nil, errors.New("forward: the URL has no host")
	case u.Fragment != "":
		return o, nil, errors.New("forward: the URL has a fragment, which is never sent")
	case o.Timeout < 0 || o.Connections < 0:
		return o, nil, errors.New("forward: a bound is negative")
	}
	credentials := 0
	for _, given := range []bool{u.User != nil, o.BearerFile != "", o.BasicFile != "", len(o.Header.Values("Authorization")) > 0} {
		if given {
			credentials++
		}
	}
	if credentials > 1 {
		return o, nil, errors.New("forward: there are credentials in two places")
	}
	o.Header = maps.Clone(o.Header)
	for name, values := range o.Header {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !validName(name):
			return o, nil, fmt.Errorf("forward: %q cannot name a header", name)
		case slices.Contains(reserved, canonical) || strings.HasPrefix(canonical, "X-Hookgate-"):
			return o, nil, fmt.Errorf("forward: the header %s cannot be set", canonical)
		case slices.ContainsFunc(values, func(v string) bool { return !validValue(v) }):
			return o, nil, fmt.Errorf("forward: the value of the header %s cannot be sent", canonical)
		}
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Connections == 0 {
		o.Connections = 64
	}
	return o, u, nil
}
