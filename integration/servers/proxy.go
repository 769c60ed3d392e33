package servers

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes TCP connections on to a server, and breaks them in the ways in
// which networks do. It ends with the test.
type Proxy struct {
	Addr string // host:port

	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	cond     *sync.Cond // something below has changed
	pairs    map[*pair]struct{}
	stalled  [2]bool // by direction
	refusing bool
	cut      bool // the next answer is to be cut
	holdAt   []byte
	latency  time.Duration
	closed   bool
}

// The directions.
const (
	up   = iota // to the server
	down        // to the client
)

// pair is one connection: both its ends.
type pair struct {
	client, server net.Conn
	armed          bool // a request has passed whose answer is to be cut
	held           bool // the client has written what connections are held at
}

// NewProxy starts a proxy in front of a server.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, pairs: make(map[*pair]struct{})}
	p.cond = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// StallUp passes nothing on to the server any more, and reads nothing from the
// clients, so that their buffers fill.
func (p *Proxy) StallUp() { p.set(func() { p.stalled[up] = true }) }

// StallDown passes nothing on to the clients any more, and reads nothing from
// the server.
func (p *Proxy) StallDown() { p.set(func() { p.stalled[down] = true }) }

// Refuse closes every connection, and each new one, at once.
func (p *Proxy) Refuse() {
	p.set(func() { p.refusing = true })
	p.Reset()
}

// Latency delays what passes, in each direction. A burst is delayed once.
func (p *Proxy) Latency(d time.Duration) { p.set(func() { p.latency = d }) }

// CutReply passes the next request on, and closes its connection when the
// answer comes, which is passed to nobody.
func (p *Proxy) CutReply() { p.set(func() { p.cut = true }) }

// HoldAt stalls a connection towards the server from where its client writes
// the pattern: so a client can be killed between two of its steps.
func (p *Proxy) HoldAt(pattern []byte) { p.set(func() { p.holdAt = pattern }) }

// Held reports whether a connection is stalled by HoldAt.
func (p *Proxy) Held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		if c.held {
			return true
		}
	}
	return false
}

// Resume ends all of the above. What was held up is passed on.
func (p *Proxy) Resume() {
	p.set(func() {
		p.stalled, p.refusing, p.cut, p.latency, p.holdAt = [2]bool{}, false, false, 0, nil
		for c := range p.pairs {
			c.held = false
		}
	})
}

// Reset breaks all connections with a RST.
func (p *Proxy) Reset() {
	p.set(func() {
		for c := range p.pairs {
			c.reset()
			c.held = false
		}
	})
}

// Connections returns how many connections there are.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pairs)
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.cond.Broadcast()
}

func (p *Proxy) close() {
	p.set(func() { p.closed = true })
	_ = p.listener.Close()
	p.Reset()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	refusing := p.refusing || p.closed
	p.mu.Unlock()
	server, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil || refusing {
		abort(client)
		if err == nil {
			abort(server)
		}
		return
	}
	c := &pair{client: client, server: server}
	p.mu.Lock()
	if p.closed { // Reset has not seen it
		c.reset()
	}
	p.pairs[c] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(c, up, client, server) })
	both.Go(func() { p.pass(c, down, server, client) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

// pass copies one direction until either end is closed.
func (p *Proxy) pass(c *pair, direction int, from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		p.hold(direction)
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.hold(direction)
		if direction == up {
			p.holdPair(c, buf[:n])
		}
		if p.cuts(c, direction) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// hold waits while a direction is stalled.
func (p *Proxy) hold(direction int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled[direction] && !p.closed {
		p.cond.Wait()
	}
}

// holdPair waits from where the pattern of HoldAt was read.
func (p *Proxy) holdPair(c *pair, read []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.held = c.held || len(p.holdAt) > 0 && bytes.Contains(read, p.holdAt)
	for c.held && !p.closed {
		p.cond.Wait()
	}
}

// cuts waits for the latency, and reports whether what was read is to be cut.
func (p *Proxy) cuts(c *pair, direction int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.latency; d > 0 {
		p.mu.Unlock()
		time.Sleep(d) // it is what the link does
		p.mu.Lock()
	}
	if direction == up && p.cut {
		p.cut, c.armed = false, true
	}
	return direction == down && c.armed
}

// reset closes both ends at once.
func (c *pair) reset() {
	abort(c.client)
	abort(c.server)
}

// abort closes a connection with a RST.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
