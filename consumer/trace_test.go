package consumer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookgate/hookgate/hook"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
)

func traced(id string) *hook.Event {
	ev := event(id)
	ev.Header = map[string]string{hook.HeaderTraceparent: "00-" + traceID + "-" + spanID + "-01", hook.HeaderTracestate: "vendor=1"}
	return ev
}

func TestEachAttemptIsASpanOfTheRequestsTrace(t *testing.T) {
	inBubble(t, func(r *rig) {
		recorder := tracetest.NewSpanRecorder()
		r.opts.Tracing = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
		var seen []trace.SpanContext
		r.on(func(ctx context.Context, ev *hook.Event) error {
			seen = append(seen, trace.SpanContextFromContext(ctx))
			if len(seen) == 1 {
				return err503
			}
			return nil
		})
		r.queue.put(traced("conversation-1"))
		r.start(0)
		time.Sleep(time.Minute) // of the bubble: the first tier is over
		synctest.Wait()
		r.queue.put(traced("conversation-1")) // a copy
		synctest.Wait()

		spans := recorder.Ended()
		if len(spans) != 3 {
			t.Fatalf("%d spans", len(spans))
		}
		for i, want := range []struct {
			result string
			status sdktrace.Status
		}{
			{"retry", sdktrace.Status{Code: codes.Error, Description: "the downstream answered 503"}},
			{"processed", sdktrace.Status{}},
			{"duplicate", sdktrace.Status{}},
		} {
			s := spans[i]
			if s.Parent().TraceID().String() != traceID || s.Parent().SpanID().String() != spanID || !s.Parent().IsRemote() || s.SpanContext().TraceState().Get("vendor") != "1" {
				t.Errorf("span %d is a child of %v", i, s.Parent())
			}
			if i < len(seen) && seen[i].SpanID() != s.SpanContext().SpanID() {
				t.Errorf("the handler had the span %s, want %s", seen[i].SpanID(), s.SpanContext().SpanID())
			}
			text := fmt.Sprint(s.Attributes())
			if s.Name() != "process h" || s.SpanKind() != trace.SpanKindConsumer || s.Status() != want.status || !strings.Contains(text, "{hookgate.result "+want.result+"}") {
				t.Errorf("span %d: %s %v %v %s", i, s.Name(), s.SpanKind(), s.Status(), text)
			}
			if strings.Contains(text, "conversation") || !strings.Contains(text, hook.LogID("conversation-1")) {
				t.Errorf("span %d: %s", i, text)
			}
		}
	})
}

func TestWithoutTracingTheHandlerHasTheRequestsSpan(t *testing.T) {
	inBubble(t, func(r *rig) {
		var got trace.SpanContext
		r.on(func(ctx context.Context, ev *hook.Event) error {
			got = trace.SpanContextFromContext(ctx)
			return nil
		})
		r.queue.put(traced("a"))
		r.start(0)
		if got.TraceID().String() != traceID || got.SpanID().String() != spanID || !got.IsSampled() {
			t.Errorf("%v", got)
		}
	})
}
