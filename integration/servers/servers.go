// Package servers starts real servers for tests, and stands between them and
// their clients: each belongs to the tests of one package, listens on a free
// loopback port, and may be suspended, killed and started again. A server that
// is not installed fails the test: one that is skipped has shown nothing.
//
// It is for tests alone. Nothing that is built imports it.
package servers

import (
	"context"
	"testing"
	"time"
)

// FreePort returns a loopback port that nobody listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	return FreePorts(t, 1)[0]
}

// FreePorts returns n different ones.
func FreePorts(t testing.TB, n int) []string {
	t.Helper()
	ports, err := freePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// poll calls ok until it is true, for a generous time at most.
func poll(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}
