package consumer

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookgate/hookgate/hook"
)

// tracerName names this package to those who look at spans.
const tracerName = "github.com/hookgate/hookgate/consumer"

// span begins the span of an attempt, a child of the request's that brought the
// event. Where nobody keeps spans the context has the request's own. It names
// the event by its digest alone.
func (c *Consumer) span(ctx context.Context, ev *hook.Event) (context.Context, trace.Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(ev.Header))
	name := c.hookLabel(ev.Hook)
	return c.opts.Tracing.Tracer(tracerName).Start(ctx, "process "+name,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("hookgate.hook", name),
			attribute.String("hookgate.event", hook.LogID(ev.ID)),
			attribute.Int("hookgate.attempt", ev.Attempt+1),
			attribute.Int("hookgate.replay", ev.Replay),
		))
}

// endSpan writes down what became of the attempt.
func endSpan(s trace.Span, o outcome, v verdict) {
	s.SetAttributes(attribute.String("hookgate.result", string(v.result)))
	switch {
	case o.fault != nil:
		s.SetStatus(codes.Error, tidy(o.fault.Message))
		if o.fault.Status != 0 {
			s.SetAttributes(attribute.Int("hookgate.status", o.fault.Status))
		}
	case v.fault != nil:
		s.SetStatus(codes.Error, v.fault.Message)
	case o.err != nil:
		s.SetStatus(codes.Error, "the inbox failed")
	}
	s.End()
}

// hookLabel returns the name of a hook as the metrics have it: spans are found
// by their names.
func (c *Consumer) hookLabel(name string) string {
	if c.metrics != nil {
		return c.metrics.label(name)
	}
	if hook.ValidName(name) {
		return name
	}
	return "other"
}
