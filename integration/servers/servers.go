// Package servers starts real servers for tests, and stands between them and
// their clients: each belongs to the tests of one package, listens on a free
// loopback port, and may be suspended, killed and started again. It does not
// outlive the tests. A server that is not installed fails the test, since one
// that is skipped has shown nothing: install.sh, which "make test" runs,
// installs them.
//
// Two variables of the environment name servers that somebody else runs, such
// as a service of CI. Some tests then use these too, beside their own:
//
//   - HOOKGATE_TEST_REDIS_URL is a Redis, as redis[s]://[user:password@]host[:port][/db].
//   - HOOKGATE_TEST_AMQP_URL is a RabbitMQ, as amqp[s]://user:password@host[:port]/[vhost].
//
// HOOKGATE_TEST_ROOT names the root folder of another Debian, whose programs are
// then the servers: "make test-newer" runs the tests on newer versions so.
//
// It is for tests alone. Nothing that is built imports it.
package servers

import (
	"bytes"
	"context"
	"net"
	"os"
	"testing"
	"time"
)

// ExternalRedis returns the URL of a Redis that somebody else runs, and whether
// there is one. Tests may not stop it, empty it or change its settings, and
// find in it what others have left: they take keys of their own, which expire.
func ExternalRedis() (url string, ok bool) { return external("HOOKGATE_TEST_REDIS_URL") }

// ExternalAMQP returns the URL of a RabbitMQ that somebody else runs, and
// whether there is one. Tests may not stop it or change its settings: they
// declare exchanges and queues of their own, and delete them.
func ExternalAMQP() (url string, ok bool) { return external("HOOKGATE_TEST_AMQP_URL") }

func external(variable string) (url string, ok bool) {
	url = os.Getenv(variable)
	return url, url != ""
}

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
