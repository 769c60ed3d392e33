package consumer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// Options are the settings of a Consumer.
type Options struct {
	// Source hands out the events. Starting and closing it is its owner's
	// business; it must outlive the Consumer. Required.
	Source hook.Source

	// Handler processes them. It must return soon after its context has ended.
	// One that is a hook.Once as well keeps its own inbox, and needs none
	// here. Required.
	Handler hook.Handler

	// Inbox remembers which events were processed. Required, unless Handler is
	// a hook.Once or NoInbox is set.
	Inbox hook.Store

	// NoInbox processes copies of an event as if they were events of their
	// own: for handlers to which it does not matter. Default: false.
	NoInbox bool

	// Retry are the times after which a failed event is tried again, in
	// ascending order. The Source should have the same.
	// Default: 5s, 30s, 2m, 10m, 1h, 6h.
	Retry []time.Duration

	// Concurrency is how many events are processed at once. Default: 8.
	Concurrency int

	// Prefetch is how many events the Source may hand out and not see settled.
	// It is 1 until the first 32 events are settled, and again for as long
	// when one comes back a third time, because each crash counts against
	// every event that was handed out. Default: 32.
	Prefetch int

	// WorkLimit bounds the processing of one event. Default: 5m.
	WorkLimit time.Duration

	// Lease is how long the inbox keeps a claim of a consumer that is gone. It
	// is renewed while the Handler works. Default: 30s.
	Lease time.Duration

	// InboxTTL is how long the inbox remembers an event. Default: 720h.
	InboxTTL time.Duration

	// Grace is how long Run waits for events that are being processed when its
	// context has ended. It returns at most 3 s later, whoever does not answer.
	// Default: 5s.
	Grace time.Duration

	// OutageAfter is how many different events must fail, with no success
	// between them, until the downstream counts as down. Default: 5.
	OutageAfter int

	// OutageWindow is the time within which they must fail. Default: 10m.
	OutageWindow time.Duration

	// Logger gets a line an attempt. Default: none.
	Logger *zap.Logger

	// Metrics count. Default: none.
	Metrics *Metrics

	// Tracing keeps a span an attempt, which continues the trace of the request
	// that brought the event. It is in the context of the Handler. Default:
	// none, and the context has the request's span.
	Tracing trace.TracerProvider
}

// DefaultRetry returns the times after which a failed event is tried again
// where the options say nothing else.
func DefaultRetry() []time.Duration {
	return []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}
}

// Bounds that are nobody's business to set.
const (
	carefulFor    = 32               // events that are settled one at a time, at the beginning and after a crash
	suspectAfter  = 2                // redeliveries from which on an event may be what crashes consumers
	minPause      = time.Second      // between two probes of what is down, at first
	maxPause      = 30 * time.Second // and in the end
	settleTimeout = 10 * time.Second // to tell the queue what became of an event, while it runs
	claimTimeout  = 5 * time.Second  // to ask the inbox
	maxMessage    = 500              // bytes of a fault's message, and of a violation's pointer
	maxViolations = 20               // of a fault, as of a contract
	maxStatus     = 999              // of HTTP
)

// What Run may take after its grace. Both are longer than the second that one
// attempt to release or to commit a claim takes at most.
const (
	handBackTime = 1500 * time.Millisecond // to hand back what was interrupted
	lastTime     = 1500 * time.Millisecond // for what is left then to end
)

// withDefaults checks the options and fills in what was left out.
func (o Options) withDefaults() (Options, error) {
	_, once := o.Handler.(hook.Once)
	switch {
	case o.Source == nil:
		return o, errors.New("consumer: a source is required")
	case o.Handler == nil:
		return o, errors.New("consumer: a handler is required")
	case o.Inbox == nil && !once && !o.NoInbox:
		return o, errors.New("consumer: an inbox is required, or NoInbox")
	case o.Inbox != nil && o.NoInbox:
		return o, errors.New("consumer: there is an inbox, and NoInbox is set")
	case o.Concurrency < 0 || o.Prefetch < 0 || o.OutageAfter < 0:
		return o, errors.New("consumer: a number is negative")
	case o.WorkLimit < 0 || o.Lease < 0 || o.InboxTTL < 0 || o.Grace < 0 || o.OutageWindow < 0:
		return o, errors.New("consumer: a time is negative")
	}
	if len(o.Retry) == 0 {
		o.Retry = DefaultRetry()
	}
	for i, after := range o.Retry {
		if after <= 0 || i > 0 && after <= o.Retry[i-1] {
			return o, fmt.Errorf("consumer: the times to retry after must be positive and ascending, and the %s is not", after)
		}
	}
	o.Retry = slices.Clone(o.Retry)
	setDefault(&o.Concurrency, 8)
	setDefault(&o.Prefetch, 32)
	setDefault(&o.WorkLimit, 5*time.Minute)
	setDefault(&o.Lease, 30*time.Second)
	setDefault(&o.InboxTTL, 720*time.Hour)
	setDefault(&o.Grace, 5*time.Second)
	setDefault(&o.OutageAfter, 5)
	setDefault(&o.OutageWindow, 10*time.Minute)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Tracing == nil {
		o.Tracing = noop.NewTracerProvider()
	}
	return o, nil
}

func setDefault[T ~int | ~int64](p *T, v T) {
	if *p == 0 {
		*p = v
	}
}
