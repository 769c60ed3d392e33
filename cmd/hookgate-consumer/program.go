package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hookgate/hookgate/consumer"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/forward"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// program is everything that runs.
type program struct {
	s        *settings
	log      *zap.Logger
	registry *prometheus.Registry
	source   source
	inbox    inbox // nil for none, and for a handler that has its own
	handler  hook.Handler
	loop     *consumer.Consumer
	tracing  *sdktrace.TracerProvider // nil for none
}

// closeTimeout bounds the end of all that is not work any more: with --grace and
// the second that the server of /metrics may take it is how long a stop takes at
// most, and shorter than what systemd and containers give it.
const closeTimeout = 5 * time.Second

// newProgram makes everything, and connects nothing. Its errors are those of the
// command line.
func newProgram(s *settings, logs io.Writer) (*program, error) {
	p := &program{s: s, registry: prometheus.NewRegistry()}
	var err error
	if p.log, err = newLogger(s, logs); err != nil {
		return nil, err
	}
	if p.source, err = open("queue", queues(), s.queue, s, p.log); err != nil {
		return nil, err
	}
	if p.inbox, err = openInbox(s, p.log); err != nil {
		return nil, err
	}
	if p.handler, err = openHandler(s, p.log); err != nil {
		return nil, err
	}
	metrics := consumer.NewMetrics()
	p.registry.MustRegister(metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s, ok := p.source.(*rabbitmq.Source); ok {
		p.registry.MustRegister(rabbitmq.DepthCollector{Source: func() *rabbitmq.Source { return s }})
	}
	opts := consumer.Options{
		Source: p.source, Handler: p.handler, NoInbox: p.withoutInbox(),
		Retry: s.retry, Concurrency: s.concurrency, Prefetch: s.prefetch, WorkLimit: s.workLimit, Lease: s.lease,
		Logger: p.log, Metrics: metrics,
	}
	if p.inbox != nil {
		opts.Inbox = p.inbox
	}
	if s.traces {
		if p.tracing, err = newTracing(p.log.Named("tracing")); err != nil {
			return nil, err
		}
		opts.Tracing = p.tracing
	}
	p.loop, err = consumer.New(opts)
	return p, err
}

func newLogger(s *settings, w io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(s.logLevel)
	if err != nil {
		return nil, errors.New("--log-level is debug, info, warn or error")
	}
	cfg := zap.NewProductionEncoderConfig()
	encoder := zapcore.NewJSONEncoder(cfg)
	if !s.json {
		cfg.EncodeTime = zapcore.ISO8601TimeEncoder
		cfg.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(cfg)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)), nil
}

// withoutInbox reports whether nobody keeps which events were processed.
func (p *program) withoutInbox() bool {
	_, own := p.handler.(hook.Once)
	return p.inbox == nil && !own
}

// parts are what is started, in this order, and closed in the other.
func (p *program) parts() (all []part) {
	if p.inbox != nil {
		all = append(all, p.inbox)
	}
	if h, ok := p.handler.(part); ok {
		all = append(all, h)
	}
	return append(all, p.source)
}

// run works until ctx ends, and then lets everything end in its order.
func (p *program) run(ctx context.Context) (err error) {
	srv, err := p.serve()
	if err != nil {
		return err
	}
	defer srv.close()
	if p.withoutInbox() {
		p.log.Warn("there is no inbox: copies of an event are processed too")
	}
	var started []part
	defer func() { p.close(started) }()
	for _, part := range p.parts() {
		if err := part.Start(); err != nil {
			return fmt.Errorf("start: %w", err)
		}
		started = append(started, part)
	}
	p.log.Info("consuming", zap.Durations("retry", p.s.retry), zap.Int("concurrency", p.s.concurrency), zap.Int("prefetch", p.s.prefetch))
	ran := make(chan error, 1)
	go func() { ran <- p.loop.Run(context.Background()) }()
	select {
	case err := <-ran:
		return err
	case <-ctx.Done():
	}
	p.log.Info("stopping")
	end, cancel := context.WithTimeout(context.Background(), p.s.grace)
	defer cancel()
	if err := p.loop.Close(end); err != nil {
		p.log.Warn("some events could not be handed back: the queue does it when the connection is gone", zap.Error(err))
	}
	if h, ok := p.handler.(*forward.Handler); ok {
		_ = h.Close(end) // idle connections
	}
	p.log.Info("stopped")
	return nil
}

// close ends what was started, the last one first, in one time for all of it.
// The traces have a part of it: they are worth less than a connection that is
// closed in good order.
func (p *program) close(started []part) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if p.tracing != nil {
		ctx, cancel := context.WithTimeout(ctx, closeTimeout/2)
		defer cancel()
		if err := p.tracing.Shutdown(ctx); err != nil {
			p.log.Warn("the last traces were not sent", zap.Error(err))
		}
	}
	for _, part := range slices.Backward(started) {
		if err := part.Close(ctx); err != nil {
			p.log.Warn("something did not close in time", zap.Error(err))
		}
	}
}
