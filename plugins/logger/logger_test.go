package logger

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
)

func TestAnEventIsOneLineWithNothingPersonal(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	h, err := New(zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	ev := &hook.Event{
		ID: "call-of-jane", Hook: "pe-action-map", Body: []byte(`{"contactNumber":"+49"}`),
		ReceivedAt: time.Date(2026, 5, 14, 20, 32, 11, 450_000_000, time.FixedZone("", 7200)),
		Header:     map[string]string{hook.HeaderTracestate: "jane"},
	}
	if err := h.Handle(context.Background(), ev); err != nil {
		t.Fatal(err)
	}
	if logs.Len() != 1 {
		t.Fatal(logs.All())
	}
	line := logs.All()[0]
	want := map[string]any{"hook": "pe-action-map", "event": hook.LogID("call-of-jane"), "size": int64(23), "received_at": "2026-05-14T18:32:11.45Z"}
	if diff := cmp.Diff(want, line.ContextMap()); diff != "" {
		t.Error(diff)
	}
	if text := fmt.Sprint(line.Message, line.ContextMap()); strings.Contains(text, "jane") || strings.Contains(text, "+49") {
		t.Error(text)
	}
}

func TestALoggerIsRequired(t *testing.T) {
	if _, err := New(nil); err == nil {
		t.Error("no error")
	}
}
