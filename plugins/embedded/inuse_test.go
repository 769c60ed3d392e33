package embedded

import (
	"path/filepath"
	"testing"
)

func TestAFileSaysWhetherItIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	check := func(when string, want bool) {
		t.Helper()
		if got := InUse(path); got != want {
			t.Errorf("%s it is in use: %v, want %v", when, got, want)
		}
	}
	check("before it is there", false)
	d, err := New(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	check("while it is open", true)
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("when it is closed", false)
	again, err := New(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Start(); err != nil {
		t.Errorf("looking at it has kept it: %v", err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
