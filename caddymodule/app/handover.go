package app

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"

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
// On systems other than Linux nothing of this is done: whether somebody waits
// to be accepted cannot be told there, nor do two sockets share a port alike.

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
	case eventStopping: // in a reload the new config serves already
		ho.stop()
	}
	return nil
}

// Interface guard
var _ caddyevents.Handler = (*handover)(nil)
