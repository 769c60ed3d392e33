package embedded

import (
	"runtime"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestAProcessOnOneCPUDoesNotStandStillWhileTheDiskIsWritten(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	for set, want := range map[string]int{"": 2, "1": 1} {
		t.Run("GOMAXPROCS="+set, func(t *testing.T) {
			runtime.GOMAXPROCS(1)
			t.Setenv("GOMAXPROCS", set)
			core, logs := observer.New(zap.WarnLevel)
			d := &DB{log: zap.New(core)}
			d.roomToSync()
			if n := runtime.GOMAXPROCS(0); n != want {
				t.Errorf("it is %d, want %d", n, want)
			}
			if warned := logs.Len() > 0; warned != (set != "") {
				t.Errorf("warned: %v", warned)
			}
		})
	}
	runtime.GOMAXPROCS(3)
	(&DB{log: zap.NewNop()}).roomToSync()
	if n := runtime.GOMAXPROCS(0); n != 3 {
		t.Errorf("3 became %d", n)
	}
}
