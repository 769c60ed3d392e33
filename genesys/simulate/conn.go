package simulate

import (
	"net"
	"sync"
)

// patientConn is a connection on which the answer counts, and not whether the
// request could be sent to its end. A server may answer and close before it has
// read the body; net/http's Transport then reports the failed write, and the
// answer that lies in the receive buffer is lost. Here a failed write waits
// until the connection is closed: the Transport closes it once it has read the
// answer, or has learned by reading that there is none, and it does not use a
// connection again on which a write has not ended.
type patientConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func newPatientConn(conn net.Conn) *patientConn {
	return &patientConn{Conn: conn, closed: make(chan struct{})}
}

// Write implements net.Conn.
func (c *patientConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		<-c.closed
	}
	return n, err
}

// Close implements net.Conn.
func (c *patientConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
