package simulate

import (
	"net"
	"sync/atomic"
)

// patientConn is a connection on which the answer counts, and not whether the
// request could be sent to its end. A server may answer and close before it has
// read the body; net/http's Transport then reports the failed write, and the
// answer that lies in the receive buffer is lost. Here a failed write is passed
// over: what the receiver did is learned by reading, which gives the answer, or
// says that the connection is gone.
type patientConn struct {
	net.Conn
	cut    atomic.Bool // the other side takes nothing any more
	closed atomic.Bool // by this side: writing is over for good
}

// Write implements net.Conn.
func (c *patientConn) Write(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	if c.cut.Load() {
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	if err == nil || c.closed.Load() {
		return n, err
	}
	c.cut.Store(true)
	return len(p), nil
}

// Close implements net.Conn.
func (c *patientConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}
