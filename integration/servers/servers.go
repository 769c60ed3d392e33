// Package servers starts real servers for tests, and stands between them and
// their clients: each belongs to the tests of one package, listens on a free
// loopback port, and may be suspended, killed and started again. It does not
// outlive the tests. A server that is not installed fails the test, since one
// that is skipped has shown nothing: install.sh, which "make test" runs,
// installs them.
//
// It is for tests alone. Nothing that is built imports it.
package servers

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"
)

// poll calls ok until it is true, for a generous time at most.
func poll(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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

// answers reports whether a server answers a request with what begins so.
func answers(addr, request string, prefixes ...[]byte) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := conn.Write([]byte(request)); err != nil {
		return false
	}
	answer := make([]byte, 8)
	n, _ := conn.Read(answer)
	for _, p := range prefixes {
		if bytes.HasPrefix(answer[:n], p) {
			return true
		}
	}
	return false
}
