package command

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/hookgate/hookgate/genesys/simulate"
)

// The environment variables that take the place of flags with secrets.
const (
	envSimulateSecret = "HOOKGATE_SIMULATE_SECRET"
	envSimulateHMAC   = "HOOKGATE_SIMULATE_HMAC"
)

// simulateFlags are the flags of `simulate`.
type simulateFlags struct {
	source, payload, release string
	retries                  int
	retryPause               time.Duration

	rate        float64
	concurrency int
	count       int
	duration    time.Duration

	duplicates, inFlight, malformed, oversized, slow, chunked share

	maxBody  int
	deadline time.Duration

	headers      []string
	secretHeader string
	hmac         string
	caCert       string
	insecure     bool
	http2        bool

	seed  uint64
	json  bool
	quiet bool
}

func (f *simulateFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.source, "source", simulate.SourceDataAction, "who sends: "+strings.Join(simulate.Sources(), " or "))
	flags.StringVar(&f.payload, "payload", "", "what is sent: "+strings.Join(simulate.Payloads(), ", ")+" (default pe-action-map, and open-messaging with that source)")
	flags.StringVar(&f.release, "release", "today", "as it was sent then: a year, or a month such as 2023-08; today; next for what may come")
	flags.IntVar(&f.retries, "retries", 0, fmt.Sprintf("how often an event is sent again after a timeout, a 429 or a 5xx (default %d with --source open-messaging, else none)", simulate.DefaultRetries))
	flags.DurationVar(&f.retryPause, "retry-pause", simulate.DefaultRetryPause, "pause before each of them")

	flags.Float64Var(&f.rate, "rate", simulate.DefaultRate, "events per second; 0 for as fast as possible")
	flags.IntVar(&f.concurrency, "concurrency", simulate.DefaultConcurrency, "requests at once, and connections kept")
	flags.IntVar(&f.count, "count", simulate.DefaultCount, "events to send, copies not counted; without end where only --duration is given")
	flags.DurationVar(&f.duration, "duration", 0, "how long to send")

	flags.Var(&f.duplicates, "duplicates", "share of the good events that are sent again, the same bytes, once answered")
	flags.Var(&f.inFlight, "in-flight", "share of the good events that are sent twice at the same time")
	flags.Var(&f.malformed, "malformed", "share of events that are broken: JSON cut off, bad UTF-8, wrong types and so on")
	flags.Var(&f.oversized, "oversized", "share of events that are larger than --max-body")
	flags.Var(&f.slow, "slow", "share of events whose body takes longer than --deadline")
	flags.Var(&f.chunked, "chunked", "share of requests without a Content-Length (default all with --source data-action, none with open-messaging)")

	flags.IntVar(&f.maxBody, "max-body", simulate.DefaultMaxBody, "bytes that the receiver takes")
	flags.DurationVar(&f.deadline, "deadline", simulate.DefaultDeadline, "an answer after this is late")

	flags.StringArrayVar(&f.headers, "header", nil, `header field "NAME: VALUE" to send; may be repeated`)
	flags.StringVar(&f.secretHeader, "secret-header", "", `header field "NAME: VALUE" with the hook's secret (or `+envSimulateSecret+`)`)
	flags.StringVar(&f.hmac, "hmac", "", "secret to sign with, in X-Hub-Signature-256 (or "+envSimulateHMAC+")")
	flags.StringVar(&f.caCert, "cacert", "", "PEM file of certificates to trust, instead of the system's")
	flags.BoolVar(&f.insecure, "insecure", false, "trust any certificate, for example a self-signed one")
	flags.BoolVar(&f.http2, "http2", false, "use HTTP/2, over http:// with prior knowledge")

	flags.Uint64Var(&f.seed, "seed", 0, "makes the same events again, but for their timestamps; 0 for new ones. A receiver knows the event IDs of a seed it has seen")
	flags.BoolVar(&f.json, "json", false, "write the report as one JSON object")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress, and of the table only its verdict")
}

// options turns the flags into options. None of the errors hold a secret.
func (f *simulateFlags) options(flags *pflag.FlagSet, getenv func(string) string) (simulate.Options, error) {
	var none simulate.Options
	header, err := f.header(getenv)
	if err != nil {
		return none, err
	}
	roots, err := readRoots(f.caCert)
	if err != nil {
		return none, err
	}
	if err := f.checkPositive(flags); err != nil {
		return none, err
	}
	opts := simulate.Options{
		Source: f.source, Payload: f.payload, Release: f.release, Retries: f.retries, RetryPause: f.retryPause,
		Rate: f.rate, Concurrency: f.concurrency, Count: f.count, Duration: f.duration,
		Duplicates: float64(f.duplicates), InFlight: float64(f.inFlight), Malformed: float64(f.malformed),
		Oversized: float64(f.oversized), Slow: float64(f.slow), Chunked: float64(f.chunked),
		MaxBody: f.maxBody, Deadline: f.deadline,
		Header: header, HMAC: firstOf(f.hmac, getenv(envSimulateHMAC)),
		HTTP2: f.http2, Insecure: f.insecure, RootCAs: roots, Seed: f.seed,
	}
	f.asSource(&opts, flags)
	if flags.Changed("duration") && !flags.Changed("count") {
		opts.Count = 0
	}
	return opts, nil
}

// asSource fills in what was left open, as the source does it.
func (f *simulateFlags) asSource(opts *simulate.Options, flags *pflag.FlagSet) {
	openMessaging := f.source == simulate.SourceOpenMessaging
	if !flags.Changed("chunked") && !openMessaging {
		opts.Chunked = 1
	}
	if !flags.Changed("retries") && openMessaging {
		opts.Retries = simulate.DefaultRetries
	}
}

// checkPositive refuses zeros, which would mean the default.
func (f *simulateFlags) checkPositive(flags *pflag.FlagSet) error {
	switch {
	case f.count < 1:
		return errors.New("--count must be at least 1")
	case flags.Changed("duration") && f.duration <= 0:
		return errors.New("--duration must be longer than 0, for example 30s")
	case f.concurrency < 1:
		return errors.New("--concurrency must be at least 1")
	case f.maxBody < 1:
		return errors.New("--max-body must be at least 1 byte")
	case f.retryPause <= 0:
		return errors.New("--retry-pause must be longer than 0, for example 5s")
	case f.deadline <= 0:
		return errors.New("--deadline must be longer than 0, for example 550ms")
	}
	return nil
}

func (f *simulateFlags) header(getenv func(string) string) (http.Header, error) {
	header := http.Header{}
	for _, field := range f.headers {
		name, value, err := simulate.ParseHeader(field)
		if err != nil {
			return nil, fmt.Errorf("--header: %w", err)
		}
		header.Add(name, value)
	}
	if secret := firstOf(f.secretHeader, getenv(envSimulateSecret)); secret != "" {
		name, value, err := simulate.ParseHeader(secret)
		if err != nil {
			return nil, fmt.Errorf("--secret-header: %w", err)
		}
		header.Set(name, value)
	}
	return header, nil
}

// readRoots reads a PEM file of certificates; nil for no file.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--cacert: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("--cacert: there is no certificate in PEM form in this file")
	}
	return pool, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// share is a flag of 0 to 1, or a percentage.
type share float64

// Set implements pflag.Value.
func (s *share) Set(text string) error {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return errors.New("a share is 0 to 1, or a percentage such as 10%")
	}
	*s = share(v)
	return nil
}

// String implements pflag.Value.
func (s *share) String() string { return strconv.FormatFloat(float64(*s), 'g', -1, 64) }

// Type implements pflag.Value.
func (s *share) Type() string { return "share" }
