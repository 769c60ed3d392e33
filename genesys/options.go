package genesys

import (
	"errors"
	"net/http"
	"time"
)

// Defaults of Options.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultAttempts = 5
	DefaultBackoff  = 500 * time.Millisecond
	DefaultMaxWait  = 2 * time.Minute
)

// maxBackoff is the longest pause that is ours; Genesys may ask for a longer one.
const maxBackoff = 30 * time.Second

// Options are those of a Client.
type Options struct {
	// Environment is where the organization is. Required.
	Environment Environment

	// Credentials returns those of the OAuth client. It is asked for each token,
	// so that they may change. Required.
	Credentials func() (Credentials, error)

	// Transport sends the requests. Default: one of the client's own.
	Transport http.RoundTripper

	// Timeout bounds one attempt of one call. Default: 30 s.
	Timeout time.Duration

	// Attempts is how often a call is made at most. Default: 5.
	Attempts int

	// Backoff bounds the first pause between two attempts; each further one may
	// be twice as long, up to 30 s. Default: 500 ms.
	Backoff time.Duration

	// MaxWait is the longest pause that Genesys may ask for. Where it asks for
	// more, the call fails and says so. Default: 2 min.
	MaxWait time.Duration
}

func (o *Options) complete() error {
	if o.Environment.API == "" || o.Environment.Login == "" {
		return errors.New("genesys: the environment is missing: a region such as eu-central-1, or a domain")
	}
	if o.Credentials == nil {
		return errors.New("genesys: credentials are missing")
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 2
		o.Transport = t
	}
	for p, value := range map[*time.Duration]time.Duration{&o.Timeout: DefaultTimeout, &o.Backoff: DefaultBackoff, &o.MaxWait: DefaultMaxWait} {
		if *p <= 0 {
			*p = value
		}
	}
	if o.Attempts <= 0 {
		o.Attempts = DefaultAttempts
	}
	return nil
}
