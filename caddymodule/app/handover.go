package app

import (
	"context"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// When a config is stopped, Caddy shuts its servers down at once, and net/http
// closes the connections that it has accepted and not read from yet
// (https://pkg.go.dev/net/http#Server.Shutdown), and the kernel resets those
// that wait to be accepted: a sender that has just connected gets no answer,
// and Genesys does not send again. So before Caddy stops the servers that have
// hooks, their sockets are closed, at a moment when nobody waits to be
// accepted, and what was accepted gets the time to be read. In a reload the
// new config's sockets are open by then.

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

	lookEvery = time.Millisecond
)

// handover is what a config knows of its servers that have hooks. It handles
// the event that Caddy emits before it stops them.
type handover struct {
	servers []*caddyhttp.Server // while the config is provisioned
	running []func()            // called when all of the config has started

	mu     sync.Mutex
	unread map[net.Conn]struct{} // accepted, and not read from
}

func newHandover(ctx caddy.Context) (*handover, error) {
	ho := &handover{unread: make(map[net.Conn]struct{})}
	events, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	return ho, events.(*caddyevents.App).Subscribe(&caddyevents.Subscription{
		Events:   []string{eventStarted, eventStopping},
		Handlers: []caddyevents.Handler{ho},
	})
}

// The events that Caddy emits when all apps of a config have started, and
// before it stops them. A config that fails to start has neither.
const (
	eventStarted  = "started"
	eventStopping = "stopping"
)

// onRunning has fn called when all of the config has started.
func (ho *handover) onRunning(fn func()) { ho.running = append(ho.running, fn) }

// watch follows the connections of a server.
func (ho *handover) watch(s *caddyhttp.Server) {
	if s == nil || slices.Contains(ho.servers, s) {
		return
	}
	ho.servers = append(ho.servers, s)
	s.RegisterConnState(func(conn net.Conn, state http.ConnState) {
		ho.mu.Lock()
		defer ho.mu.Unlock()
		if state == http.StateNew {
			ho.unread[conn] = struct{}{}
			return
		}
		delete(ho.unread, conn)
	})
}

// Handle implements caddyevents.Handler.
func (ho *handover) Handle(_ context.Context, e caddy.Event) error {
	switch e.Name() {
	case eventStarted:
		for _, fn := range ho.running {
			fn()
		}
	case eventStopping:
		ho.stop()
	}
	return nil
}

// stop is called before the config is stopped; in a reload the new one serves
// already.
func (ho *handover) stop() {
	for _, s := range ho.servers {
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

// Interface guard
var _ caddyevents.Handler = (*handover)(nil)
