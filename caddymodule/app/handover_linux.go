package app

import (
	"net"
	"reflect"
	"runtime"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	// lull is how long such a moment is waited for. Where the kernel hands
	// waiting connections to the new sockets (net.ipv4.tcp_migrate_req=1),
	// none is needed.
	lull = 100 * time.Millisecond

	// accepting is how long the servers get to take over what they accepted.
	accepting = 20 * time.Millisecond

	// patience is how long connections are waited for that were accepted.
	// Those that stay silent for so long get no answer.
	patience = 500 * time.Millisecond
)

// stop is called before servers are stopped; in a reload the new ones serve
// already.
func (ho *handover) stop(servers []*caddyhttp.Server) {
	for _, s := range servers {
		for _, l := range s.Listeners() {
			if tcp, ok := tcpListener(l); ok {
				closeInLull(tcp)
			}
		}
	}
	begin := time.Now()
	for elapsed := time.Duration(0); elapsed < accepting || ho.waiting() > 0 && elapsed < patience; elapsed = time.Since(begin) {
		time.Sleep(lookEvery)
	}
}

// closeInLull closes a listener when nobody waits to be accepted. Caddy's own
// listener around it stays as it is: the server closes that one when it finds
// this one closed.
func closeInLull(l *net.TCPListener) {
	for deadline := time.Now().Add(lull); backlog(l) > 0 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	_ = l.Close()
}

// tcpListener finds the TCP listener within those that Caddy, TLS and listener
// wrappers put around it. All of them embed the next one.
func tcpListener(l net.Listener) (*net.TCPListener, bool) {
	for {
		if tcp, ok := l.(*net.TCPListener); ok {
			return tcp, true
		}
		v := reflect.Indirect(reflect.ValueOf(l))
		if v.Kind() != reflect.Struct {
			return nil, false
		}
		field := v.FieldByName("Listener")
		if !field.IsValid() || !field.CanInterface() {
			return nil, false
		}
		next, ok := field.Interface().(net.Listener)
		if !ok {
			return nil, false
		}
		l = next
	}
}

func (ho *handover) waiting() int {
	ho.mu.Lock()
	defer ho.mu.Unlock()
	return len(ho.unread)
}
