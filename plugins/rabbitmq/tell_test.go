package rabbitmq

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestAnotherReasonIsToldOfOnceAMinute(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	q, err := New(Options{Servers: []Server{{Addr: "a:1"}}, Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	q.phase.Store(uint32(running))
	gone, expired := errors.New("connection refused"), errors.New("certificate has expired")
	q.tell(gone)
	q.tell(expired)
	if n := logs.Len(); n != 1 {
		t.Errorf("%d lines at once", n)
	}
	q.reasonAt = time.Now().Add(-2 * time.Minute)
	q.tell(gone) // the same again
	if n := logs.Len(); n != 1 {
		t.Errorf("%d lines of the same reason", n)
	}
	q.tell(expired)
	if n := logs.FilterMessageSnippet("another reason").Len(); n != 1 {
		t.Errorf("%d lines of another reason", n)
	}
}
