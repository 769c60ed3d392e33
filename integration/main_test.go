// Package integration tests the program as its users have it: built, started
// with a Caddyfile, spoken to over sockets, reloaded, and killed.
package integration

import (
	"fmt"
	"os"
	"testing"

	"github.com/hookgate/hookgate/integration/edge"
)

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
	if program, err = edge.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
