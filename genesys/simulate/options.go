package simulate

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"
)

// The defaults of Options, and of the command's flags.
const (
	DefaultRate        = 50.0
	DefaultCount       = 500
	DefaultConcurrency = 16
	DefaultDeadline    = 550 * time.Millisecond
	DefaultMaxBody     = 65536

	// MaxMaxBody is the largest Options.MaxBody in bytes: oversized bodies are
	// held in memory.
	MaxMaxBody = 16 << 20
)

// minTimeout is how long a sender waits for an answer at least. Open Messaging
// gives up after 10 s.
const minTimeout = 10 * time.Second

// ErrOptions is in the chain of every error about the options.
var ErrOptions = errors.New("simulate")

// Options says where to send, what, and how fast.
//
// Malformed, Oversized and Slow are shares of all events and together at most
// 1; the rest are good events. Duplicates and InFlight are shares of the good
// events; the copies come on top of Count and Rate.
type Options struct {
	URL string // http:// or https://, required

	Source     string        // who sends: SourceDataAction or SourceOpenMessaging; default the first
	Payload    string        // what is sent, one of Payloads; default pe-action-map, or open-messaging with that source
	Release    string        // as it was then: a year, or a month such as 2023-08; today; next for what may come; default today
	Retries    int           // 0 to 100: how often a good event is sent again after a timeout, a 429 or a 5xx; default 0
	RetryPause time.Duration // before each of them; default 5 s

	Rate        float64       // events per second; 0: as fast as the receiver answers
	Concurrency int           // requests at once; default 16
	Count       int           // events; default 500, or without end where Duration is set
	Duration    time.Duration // how long to send; 0: until Count is reached

	Duplicates float64 // 0 to 1: sent again once the first copy was answered
	InFlight   float64 // 0 to 1: sent twice at the same time; needs Concurrency >= 2
	Malformed  float64 // 0 to 1
	Oversized  float64 // 0 to 1
	Slow       float64 // 0 to 1
	Chunked    float64 // 0 to 1: requests without a Content-Length, of any kind

	MaxBody  int           // bytes the receiver takes; an oversized body has more; default 65536
	Deadline time.Duration // an answer after it is late; default 550 ms
	Timeout  time.Duration // when to give up on an answer; default: twice the deadline, at least 10 s

	Header http.Header // more header fields; never those that frame the message
	HMAC   string      // secret of X-Hub-Signature-256; empty: not signed

	HTTP2    bool           // HTTP/2 instead of HTTP/1.1; over http:// with prior knowledge (RFC 9113, section 3.3)
	Insecure bool           // do not verify the receiver's certificate
	RootCAs  *x509.CertPool // instead of the system's

	Seed     uint64    // same seed, same events, but for their timestamps; 0: one is drawn, and is in the report
	Progress io.Writer // where the progress line goes; nil: nowhere
	Redraw   bool      // Progress is a terminal: one line, redrawn every second, instead of a line every 5 s
}

// prepare fills in the defaults and checks the rest.
func (o *Options) prepare() (*url.URL, error) {
	setDefault(&o.Concurrency, DefaultConcurrency)
	setDefault(&o.MaxBody, DefaultMaxBody)
	setDefault(&o.Deadline, DefaultDeadline)
	setDefault(&o.Timeout, max(minTimeout, 2*o.Deadline))
	if o.Duration == 0 {
		setDefault(&o.Count, DefaultCount)
	}
	u, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	for _, check := range []func() error{o.prepareSource, o.checkAmounts, o.checkShares, o.checkHeader} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if o.Insecure && o.RootCAs != nil {
		return nil, invalid("either the certificate is not verified or it is verified against the given ones, not both")
	}
	return u, nil
}

// parseURL takes http and https URLs with a host. The text of the URL is in
// none of the errors: it may hold a token.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, invalid("this is not a URL; give one like https://hooks.example.com/webhooks/genesys/pe-action-map")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid("the URL must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, invalid("the URL has no host")
	case u.User != nil:
		return nil, invalid("the URL must not hold a user or password; send an Authorization header field instead")
	case u.Fragment != "":
		return nil, invalid("the URL must not have a fragment (#...)")
	}
	return u, nil
}

func (o *Options) checkAmounts() error {
	switch {
	case math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) || o.Rate < 0:
		return invalid("the rate must be 0 (as fast as possible) or a number of events per second")
	case o.Rate > 0 && o.Rate < 0.001:
		return invalid("the rate must be 0 or at least 0.001 events per second")
	case o.Concurrency < 1 || o.Concurrency > 10000:
		return invalid("the concurrency must be 1 to 10000")
	case o.Count < 0:
		return invalid("the count must be at least 1")
	case o.Duration < 0:
		return invalid("the duration must be longer than 0")
	case o.MaxBody < 1 || o.MaxBody > MaxMaxBody:
		return invalid("the largest body must be 1 to %d bytes", MaxMaxBody)
	case o.Deadline < 0:
		return invalid("the deadline must be longer than 0")
	case o.Timeout < o.Deadline:
		return invalid("the timeout must not be shorter than the deadline")
	}
	return nil
}

func (o *Options) checkShares() error {
	for _, share := range []struct {
		name  string
		value float64
	}{
		{"duplicates", o.Duplicates},
		{"in-flight", o.InFlight},
		{"malformed", o.Malformed},
		{"oversized", o.Oversized},
		{"slow", o.Slow},
		{"chunked", o.Chunked},
	} {
		if !(share.value >= 0 && share.value <= 1) { // NaN is neither
			return invalid("the share of %s must be 0 to 1", share.name)
		}
	}
	if parts(o.Malformed)+parts(o.Oversized)+parts(o.Slow) > whole {
		return invalid("the shares of malformed, oversized and slow are together more than 1")
	}
	if o.InFlight > 0 && o.Concurrency < 2 {
		return invalid("two copies in flight at once need a concurrency of 2 or more")
	}
	return nil
}

func setDefault[T int | time.Duration | string](v *T, def T) {
	if *v == *new(T) {
		*v = def
	}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
}
