package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
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

// attempts is how often a server is started on new ports, when somebody had
// taken one of the old before it was bound.
const attempts = 5

// errPortTaken is the end of a server that could not bind a port.
var errPortTaken = errors.New("a port was taken by somebody else")

// held marks the ports that were given out as taken, until this process ends.
// A port that is given out is not bound yet, and that of a server which was
// killed is not bound any more: neither may go to another test meanwhile.
var held struct {
	mu    sync.Mutex
	marks []net.Listener
}

// freePorts returns loopback ports that nobody listens on, neither with TCP
// nor with UDP, and that no other test is given while this process runs. The
// kernel gives none of them to an outgoing connection.
func freePorts(n int) ([]string, error) {
	low, high := portRange()
	var ports []string
	for range 10000 {
		if len(ports) == n {
			return ports, nil
		}
		if port := low + rand.IntN(high-low); hold(port) {
			ports = append(ports, strconv.Itoa(port))
		}
	}
	return nil, fmt.Errorf("no %d free ports from %d to %d", n, low, high)
}

// portRange returns the range to choose from: high is the first port that is
// not in it.
func portRange() (low, high int) {
	low, high = 12000, 32768
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return low, high
	}
	var first, last int
	if _, err := fmt.Sscan(string(raw), &first, &last); err != nil {
		return low, high
	}
	const few = 2000
	switch {
	case first >= low+few:
		return low, min(high, first)
	case last+few <= 65536:
		return last + 1, 65536
	}
	return low, high // the kernel uses nearly all
}

// hold marks a port that is free, and reports whether it was.
func hold(port int) bool {
	// An abstract socket is seen by all processes, and gone with its own.
	mark, err := net.Listen("unix", fmt.Sprintf("@hookgate-test-port-%d", port))
	if err != nil {
		return false
	}
	if !free(port) {
		mark.Close()
		return false
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	held.marks = append(held.marks, mark)
	return true
}

func free(port int) bool {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	return true
}
