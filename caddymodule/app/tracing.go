package app

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

// tracing is the trace.TracerProvider of the consumer: that of Caddy's tracing
// handler, which nobody can ask for but through the span of a request. Until the
// first request that has one, no spans are kept.
type tracing struct {
	embedded.TracerProvider
	last atomic.Pointer[trace.TracerProvider]
}

// note takes the provider of a request's span, if there is one.
func (t *tracing) note(ctx context.Context) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	now := span.TracerProvider()
	if last := t.last.Load(); last == nil || *last != now {
		t.last.Store(&now)
	}
}

// Tracer implements trace.TracerProvider.
func (t *tracing) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	if last := t.last.Load(); last != nil {
		return (*last).Tracer(name, opts...)
	}
	return noop.NewTracerProvider().Tracer(name, opts...)
}

// Interface guard
var _ trace.TracerProvider = (*tracing)(nil)
