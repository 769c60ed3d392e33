// Package logger is the handler that writes one line an event and does nothing
// else with it: to see that events come through, before there is anything to
// send them to.
package logger

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// Handler logs events. It never fails.
type Handler struct{ log *zap.Logger }

// New returns a Handler that writes to a logger, which is required.
func New(log *zap.Logger) (*Handler, error) {
	if log == nil {
		return nil, errors.New("logger: a logger is required")
	}
	return &Handler{log: log}, nil
}

// Handle implements hook.Handler. It writes nothing that the sender has chosen:
// the event is named by hook.LogID.
func (h *Handler) Handle(_ context.Context, ev *hook.Event) error {
	h.log.Info("event processed",
		zap.String("hook", ev.Hook),
		zap.String("event", hook.LogID(ev.ID)),
		zap.Int("size", len(ev.Body)),
		zap.String("received_at", ev.ReceivedAt.UTC().Format(time.RFC3339Nano)))
	return nil
}

// Interface guard
var _ hook.Handler = (*Handler)(nil)
