// Package integration tests the program as its users have it: built, started
// with a Caddyfile, spoken to over sockets, reloaded, and killed.
package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// buildTags are xcaddy's.
const buildTags = "nobadger,nomysql,nopgx"

// program is the path of the built program.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hookgate-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "hookgate")
	build := exec.Command("go", "build", "-race", "-buildvcs=false", "-tags", buildTags, "-o", program, "../cmd/hookgate")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
