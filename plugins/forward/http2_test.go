package forward

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire passes connections on, and can have those that are there say nothing any
// more, as where a node behind a load balancer is gone.
type wire struct {
	net.Listener
	to string

	mu   sync.Mutex
	open []net.Conn
	dead map[net.Conn]bool
	made int
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: to, dead: map[net.Conn]bool{}}
	go w.serve()
	t.Cleanup(func() {
		l.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.open {
			c.Close()
		}
	})
	return w
}

func (w *wire) serve() {
	for {
		in, err := w.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.to)
		if err != nil {
			in.Close()
			return
		}
		w.mu.Lock()
		w.made++
		w.open = append(w.open, in, out)
		w.mu.Unlock()
		go w.pass(in, out, in)
		go w.pass(out, in, in)
	}
}

// pass copies until the connection is dead, and swallows what comes then.
func (w *wire) pass(to, from, name net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		dead := w.dead[name]
		w.mu.Unlock()
		if err != nil {
			if !dead {
				to.Close()
			}
			return
		}
		if !dead {
			_, _ = to.Write(buf[:n])
		}
	}
}

func (w *wire) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		w.dead[c] = true
	}
}

func TestAnHTTP2ConnectionThatIsDeadIsNotKept(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.ProtoMajor != 2 {
			t.Errorf("it speaks %s", r.Proto)
		}
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	w := newWire(t, s.Listener.Addr().String())
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	h := open(t, Options{
		URL: strings.Replace(s.URL, s.Listener.Addr().String(), w.Addr().String(), 1), Timeout: 200 * time.Millisecond,
		TLS: &tls.Config{RootCAs: pool},
	})
	h.base.HTTP2.SendPingTimeout, h.base.HTTP2.PingTimeout = 100*time.Millisecond, 100*time.Millisecond // before its first use
	if f := fault(t, h, sample()); f != nil {
		t.Fatal(f)
	}
	w.kill()
	for begin := time.Now(); fault(t, h, sample()) != nil; {
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("after %s of attempts, and %d connections, none got through", time.Since(begin), w.made)
		}
	}
}
