package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/consumer"
	"github.com/hookgate/hookgate/hook"
)

// Consumer processes the events of the queue in this process: each once, with
// retries that take their time, and dead letters for what cannot be processed.
// For a queue that several processes share, the program hookgate-consumer does
// the same without Caddy.
type Consumer struct {
	// What processes an event: a module of the namespace hookgate.handlers.
	// Required.
	HandlerRaw json.RawMessage `json:"handler,omitempty" caddy:"namespace=hookgate.handlers inline_key=handler"`

	// Where it is kept which events were processed: a module of the namespace
	// hookgate.stores. Default: the store of the app.
	InboxRaw json.RawMessage `json:"inbox,omitempty" caddy:"namespace=hookgate.stores inline_key=driver"`

	// The times after which an event that failed is tried again, ascending.
	// After the last one it is a dead letter. Default: 5s, 30s, 2m, 10m, 1h, 6h.
	Retry []caddy.Duration `json:"retry,omitempty"`

	// How many events are processed at once. Default: 8.
	Concurrency int `json:"concurrency,omitempty"`

	// How many events are taken from the queue and not settled yet. Default: 32.
	Prefetch int `json:"prefetch,omitempty"`

	// How long the processing of one event may take. Default: 5m.
	WorkLimit caddy.Duration `json:"work_limit,omitempty"`
}

// HandlerDriver is a guest in hookgate.handlers.
type HandlerDriver interface {
	// NewHandler does not connect yet. A handler that is a Handle as well is
	// started and released.
	NewHandler(env Env) (hook.Handler, error)
}

// SourceDriver is what a QueueDriver is beside, where its events can be
// consumed.
type SourceDriver interface {
	// OpenSource does not connect yet. retry are the times that events may be
	// put off for; nil stands for the default.
	OpenSource(env Env, retry []time.Duration) (hook.Source, Handle, error)
}

// consumerMetrics count for all configs of the process.
var consumerMetrics = sync.OnceValue(consumer.NewMetrics)

// consumption is the consumer of one config, and what it holds.
type consumption struct {
	loop    *consumer.Consumer
	source  hook.Source
	logger  *zap.Logger
	handles []Handle

	stop   context.CancelFunc // nil until it is started
	done   chan struct{}
	failed atomic.Bool // it has ended, and nobody has told it to
}

// consumption sets a consumer up, without connecting.
func (c *Consumer) consumption(ctx caddy.Context, a *App, env Env, rt *Runtime, queue QueueDriver) (_ *consumption, err error) {
	if c.HandlerRaw == nil {
		return nil, errors.New("a handler is missing")
	}
	sources, ok := queue.(SourceDriver)
	if !ok {
		return nil, errors.New("the events of this queue cannot be consumed here")
	}
	env.Logger, env.Concurrency = a.logger.Named("consumer"), c.Concurrency
	cs := &consumption{logger: env.Logger, done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, cs.release())
		}
	}()
	opts := consumer.Options{
		Inbox: rt.Store, Logger: env.Logger, Metrics: consumerMetrics(), Tracing: &rt.tracing,
		Concurrency: c.Concurrency, Prefetch: c.Prefetch, WorkLimit: time.Duration(c.WorkLimit),
	}
	for _, d := range c.Retry {
		opts.Retry = append(opts.Retry, time.Duration(d))
	}
	var h Handle
	if opts.Source, h, err = sources.OpenSource(env, opts.Retry); err != nil {
		return nil, err
	}
	cs.source = opts.Source
	cs.handles = append(cs.handles, h)
	if opts.Handler, err = c.handler(ctx, env); err != nil {
		return nil, fmt.Errorf("handler: %w", err)
	}
	if h, ok := opts.Handler.(Handle); ok {
		cs.handles = append(cs.handles, h)
	}
	if c.InboxRaw != nil {
		if opts.Inbox, h, err = c.inbox(ctx, env); err != nil {
			return nil, fmt.Errorf("inbox: %w", err)
		}
		cs.handles = append(cs.handles, h)
	}
	if _, once := opts.Handler.(hook.Once); once {
		opts.Inbox = nil // it has its own
	}
	cs.loop, err = consumer.New(opts)
	return cs, err
}

func (c *Consumer) handler(ctx caddy.Context, env Env) (hook.Handler, error) {
	mod, err := ctx.LoadModule(c, "HandlerRaw")
	if err != nil {
		return nil, err
	}
	driver, ok := mod.(HandlerDriver)
	if !ok {
		return nil, fmt.Errorf("module of the type %T cannot be one", mod)
	}
	return driver.NewHandler(env)
}

// inboxTimeout bounds an operation of a store that is an inbox: nobody waits for
// its answer.
const inboxTimeout = time.Second

func (c *Consumer) inbox(ctx caddy.Context, env Env) (hook.Store, Handle, error) {
	mod, err := ctx.LoadModule(c, "InboxRaw")
	if err != nil {
		return nil, nil, err
	}
	driver, ok := mod.(StoreDriver)
	if !ok {
		return nil, nil, fmt.Errorf("module of the type %T cannot be one", mod)
	}
	env.Inbox, env.Durable = true, true
	return driver.OpenStore(env)
}

// start begins to consume.
func (cs *consumption) start() error {
	for _, h := range cs.handles {
		if err := h.Start(); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	cs.stop = stop
	go func() {
		defer close(cs.done)
		err := cs.loop.Run(ctx)
		cs.failed.Store(ctx.Err() == nil)
		if err != nil {
			cs.logger.Error("the consumer has ended", zap.Error(err))
		}
	}()
	return nil
}

// end takes nothing new, and waits until what is at work is done or handed
// back, for 8 s at most: see consumer.Options.Grace. It may be called again.
func (cs *consumption) end() {
	if cs.stop == nil {
		return
	}
	cs.stop()
	<-cs.done
}

// remarks say why events wait that were taken. An error may name an address: it
// is in the log.
func (cs *consumption) remarks() []string {
	if cs.failed.Load() {
		return []string{"consumer: it has ended, and events wait; the log says why"}
	}
	var remarks []string
	if s, ok := cs.source.(interface{ Ready() error }); ok && s.Ready() != nil {
		remarks = append(remarks, "consumer: it gets no events from the queue; the log says why")
	}
	status := cs.loop.Status()
	if status.Outage {
		remarks = append(remarks, "consumer: the downstream is down, and one event at a time is tried")
	}
	if status.NoInbox {
		remarks = append(remarks, "consumer: its inbox does not answer, and events wait")
	}
	return remarks
}

// release gives up what the consumer holds, once it has ended.
func (cs *consumption) release() error {
	var errs []error
	for _, h := range cs.handles {
		errs = append(errs, h.Release())
	}
	cs.handles = nil
	return errors.Join(errs...)
}
