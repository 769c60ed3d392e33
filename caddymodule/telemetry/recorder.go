package telemetry

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hookgate/hookgate/hook"
)

// A line an event doubles the cost of a request. So many of one message and
// level are written a second; the metrics have them all.
const (
	linesPerSecond = 5
	thereafter     = 1000 // and then each so many
)

// Recorder writes the metrics and the log lines of a handler's requests.
type Recorder struct {
	metrics *Metrics
	drifts  *Drifts
	logger  *zap.Logger
	drift   *zap.Logger // not thinned: its lines are few already
}

// NewRecorder makes a recorder for a handler that is being provisioned.
func NewRecorder(ctx caddy.Context) (*Recorder, error) {
	m, d := metrics(), ProcessDrifts()
	if err := Register(ctx, append(m.collectors(), d.metric)...); err != nil {
		return nil, err
	}
	return &Recorder{metrics: m, drifts: d, logger: Thin(ctx.Logger()), drift: ctx.Logger()}, nil
}

// Thin returns a logger that leaves out what repeats itself too often.
func Thin(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, linesPerSecond, thereafter,
			zapcore.SamplerHook(func(_ zapcore.Entry, d zapcore.SamplingDecision) {
				if d&zapcore.LogDropped != 0 {
					metrics().dropped.Inc()
				}
			}))
	}))
}

// InFlight returns the gauge of a hook.
func (rec *Recorder) InFlight(hookName string) prometheus.Gauge {
	return rec.metrics.inFlight.WithLabelValues(hookName)
}

// Shed counts a request that was refused because of overload.
func (rec *Recorder) Shed(hookName, reason string) {
	rec.metrics.shed.WithLabelValues(hookName, reason).Inc()
}

// Request is what is recorded of one.
type Request struct {
	Hook    string
	Outcome string // an Outcome, a Code, or "other"
	Status  int
	EventID string // only its digest is logged
	Total   time.Duration
	Stages  [StageCount]time.Duration
	Local   bool // durable on this node only
	Err     error
}

// Record counts a request and, where its outcome is worth a line, logs it.
func (rec *Recorder) Record(r *Request) {
	if rec == nil {
		return
	}
	rec.metrics.of(r.Hook).observe(r.Outcome, r.Total, &r.Stages)
	if r.Local {
		rec.metrics.local.WithLabelValues(r.Hook).Inc()
	}
	line := rec.logger.Check(levelOf(r), r.Outcome)
	if line == nil {
		return
	}
	fields := make([]zap.Field, 0, 7+int(StageCount))
	fields = append(fields, zap.String("hook", r.Hook), zap.Int("status", r.Status), zap.Duration("duration", r.Total))
	if r.EventID != "" {
		fields = append(fields, zap.String("event", hook.LogID(r.EventID)))
	}
	if r.Local {
		fields = append(fields, zap.Bool("local", true))
	}
	for s, d := range r.Stages {
		if d > 0 {
			fields = append(fields, zap.Duration(stageNames[s], d))
		}
	}
	if r.Err != nil {
		fields = append(fields, zap.Error(r.Err))
	}
	line.Write(fields...)
}

// levelOf says how loud an outcome is: what goes well is silent, what the
// sender did wrong is for information, what we cannot do is a warning, and
// what a person has to mend is an error.
func levelOf(r *Request) zapcore.Level {
	switch r.Outcome {
	case string(hook.OutcomeAccepted), string(hook.OutcomeDuplicate):
		return zapcore.DebugLevel
	case string(hook.CodeMisconfigured), string(hook.CodeInternal):
		return zapcore.ErrorLevel
	}
	if r.Status >= 500 {
		return zapcore.WarnLevel
	}
	return zapcore.InfoLevel
}
