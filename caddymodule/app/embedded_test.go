package app

import (
	"testing"

	"go.uber.org/zap"
)

func TestTheBoundIsThatOfTheNewestConfigThatRuns(t *testing.T) {
	env := Env{DataDir: t.TempDir(), Logger: zap.NewNop()}
	open := func(size int64) *embeddedHandle {
		t.Helper()
		_, h, err := (&EmbeddedQueue{MaxSize: size}).OpenQueue(env)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		return h.(*embeddedHandle)
	}
	const mib = 1 << 20
	first := open(100 * mib)
	check := func(when string, want int64) {
		t.Helper()
		if got := first.db.Stats().MaxBytes; got != want {
			t.Errorf("%s the bound is %d MiB, want %d", when, got/mib, want/mib)
		}
	}
	release := func(h *embeddedHandle) {
		t.Helper()
		if err := h.Release(); err != nil {
			t.Fatal(err)
		}
	}
	check("at the first start", 100*mib)
	first.Running()

	failing := open(50 * mib)
	check("while another config starts", 100*mib)
	release(failing)
	check("when that failed", 100*mib)

	second := open(200 * mib)
	second.Running()
	check("when another config runs", 200*mib)
	third := open(300 * mib)
	third.Running()
	release(third)
	check("when the newest is released", 200*mib)
	release(first)
	release(second)
}
