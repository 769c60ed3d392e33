package rabbitmq

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a socket under the library's connection. Every write has a deadline,
// because the library would wait for ever for a peer that does not read, while
// holding the locks that it needs to close itself. What several writers write
// while it is corked goes out at once.
type conn struct {
	net.Conn
	lastRead atomic.Int64 // Unix nanoseconds

	mu     sync.Mutex
	corks  int
	buffer []byte
	failed error
}

// maxBuffer is how much is held back while corked.
const maxBuffer = 64 << 10

func newConn(c net.Conn) *conn {
	nc := &conn{Conn: c}
	nc.lastRead.Store(time.Now().UnixNano())
	return nc
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.lastRead.Store(time.Now().UnixNano())
	}
	return n, err
}

// silentFor returns how long the peer has sent nothing, not even a heartbeat.
func (c *conn) silentFor(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, c.lastRead.Load()))
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return 0, c.failed
	}
	if c.corks == 0 && len(c.buffer) == 0 {
		return len(p), c.write(p)
	}
	c.buffer = append(c.buffer, p...)
	if c.corks > 0 && len(c.buffer) < maxBuffer {
		return len(p), nil
	}
	return len(p), c.flush()
}

// cork holds back what is written until uncork is called as often.
func (c *conn) cork() {
	c.mu.Lock()
	c.corks++
	c.mu.Unlock()
}

// uncork writes what was held back. That it fails is seen by the next write,
// and by the reader, whose socket is closed.
func (c *conn) uncork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corks--
	_ = c.flush()
}

func (c *conn) flush() error {
	if len(c.buffer) == 0 || c.failed != nil {
		return c.failed
	}
	err := c.write(c.buffer)
	c.buffer = c.buffer[:0]
	if cap(c.buffer) > 2*maxBuffer {
		c.buffer = nil
	}
	return err
}

// write writes to the socket, and closes it after a failure: a part of a frame
// may be on its way, and nothing can follow it.
func (c *conn) write(p []byte) error {
	err := c.Conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = c.Conn.Write(p)
	}
	if err != nil {
		c.failed = err
		_ = c.Conn.Close()
	}
	return err
}

// SetDeadline implements net.Conn. The library clears its deadlines with it
// when a connection is open; those for writing are this type's own.
func (c *conn) SetDeadline(t time.Time) error { return c.Conn.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn, and does nothing: every write has its
// own.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
