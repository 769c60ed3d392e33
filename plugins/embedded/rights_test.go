package embedded

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestRightsThatAreTooWideAreWarnedOfOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has other rights
	}
	for _, tc := range []struct {
		name         string
		folder, file os.FileMode
		want         int
	}{
		{"its own", 0o700, 0o600, 0},
		{"a folder for the group", 0o750, 0o600, 1},
		{"a folder for all", 0o755, 0o644, 1},
		{"a file for all", 0o700, 0o644, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			path := filepath.Join(dir, "a.db")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for name, mode := range map[string]os.FileMode{path: tc.file, dir: tc.folder} {
				if err := os.Chmod(name, mode); err != nil {
					t.Fatal(err)
				}
			}
			core, logs := observer.New(zap.WarnLevel)
			d, err := New(Options{Path: path, Logger: zap.New(core)})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := d.Start(); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if logs.Len() != tc.want {
				t.Errorf("%d warnings, want %d: %v", logs.Len(), tc.want, logs.All())
			}
		})
	}
}
