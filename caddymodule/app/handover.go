package app

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
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
//
// net/http also closes, without a word, every connection on which no request is
// being answered, and one may be on its way there. So answers tell for a while
// before that to open a new connection for the next request (RFC 9112, section
// 9.6), until all who send have done so.
//
// On systems other than Linux sockets are not closed before: whether somebody
// waits to be accepted cannot be told there, nor do two sockets share a port alike.

// handover is what a config knows of its servers that have hooks. It handles
// the event that Caddy emits before it stops them.
type handover struct {
	ctx     caddy.Context
	servers []*caddyhttp.Server // while the config is provisioned
	running []func()            // called when all of the config has started

	leaving atomic.Bool // answers tell senders to open a new connection

	mu     sync.Mutex
	unread map[net.Conn]struct{} // accepted, and not read from
	kept   map[net.Conn]struct{} // read from, of those that last for more requests
}

func newHandover(ctx caddy.Context) (*handover, error) {
	ho := &handover{ctx: ctx, unread: make(map[net.Conn]struct{}), kept: make(map[net.Conn]struct{})}
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

// watch follows the connections of a server. It reports whether it has not done so
// before.
func (ho *handover) watch(s *caddyhttp.Server) (first bool) {
	if slices.Contains(ho.servers, s) {
		return false
	}
	ho.servers = append(ho.servers, s)
	s.RegisterConnState(ho.note)
	return true
}

// note follows a connection. One of HTTP/2 is told by net/http itself that it
// ends, and has the time to.
func (ho *handover) note(conn net.Conn, state http.ConnState) {
	ho.mu.Lock()
	defer ho.mu.Unlock()
	if state == http.StateNew {
		ho.unread[conn] = struct{}{}
		return
	}
	_, first := ho.unread[conn]
	delete(ho.unread, conn)
	switch state {
	case http.StateActive:
		if first && !speaksHTTP2(conn) {
			ho.kept[conn] = struct{}{}
		}
	case http.StateClosed, http.StateHijacked:
		delete(ho.kept, conn)
	}
}

func speaksHTTP2(conn net.Conn) bool {
	c, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	return ok && c.ConnectionState().NegotiatedProtocol == "h2"
}

// How long a farewell takes at most, and how often it is looked whether it is over.
const (
	farewell  = 500 * time.Millisecond // on a connection that is silent for so long, nobody sends
	lookEvery = time.Millisecond
)

// sayFarewell waits until all who send have a new connection, as answers tell them.
func (ho *handover) sayFarewell() {
	for end := time.Now().Add(farewell); ho.lasting() > 0 && time.Now().Before(end); {
		time.Sleep(lookEvery)
	}
}

// lasting counts the connections on which there may be a next request.
func (ho *handover) lasting() int {
	ho.mu.Lock()
	defer ho.mu.Unlock()
	return len(ho.kept)
}

// Handle implements caddyevents.Handler.
func (ho *handover) Handle(_ context.Context, e caddy.Event) error {
	switch e.Name() {
	case eventStarted:
		for _, fn := range ho.running {
			fn()
		}
	case eventStopping: // in a reload the new config serves already
		now, later := ho.delayed()
		if len(later) > 0 {
			go ho.leaveLater(later)
		}
		if len(now) > 0 {
			ho.leave(now)
		}
	}
	return nil
}

// leave closes the sockets of servers, and has those who send open new
// connections.
func (ho *handover) leave(servers []*caddyhttp.Server) {
	ho.leaving.Store(true)
	ho.stop(servers)
	ho.sayFarewell()
}

// Interface guard
var _ caddyevents.Handler = (*handover)(nil)
