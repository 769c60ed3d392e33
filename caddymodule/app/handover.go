package app

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// When a config is replaced, Caddy shuts its servers down at once, and net/http
// closes the connections that it has accepted and not read from yet
// (https://pkg.go.dev/net/http#Server.Shutdown): a sender that has just
// connected gets no answer, and Genesys does not send again. So before Caddy
// stops the servers that have hooks, a moment is awaited in which every
// connection that was accepted has been read from.

const (
	// patience is how long that moment is waited for. Connections that stay
	// silent for so long get no answer.
	patience = 500 * time.Millisecond

	lookEvery = time.Millisecond
)

// handover is what a config knows of its servers that have hooks. It handles
// the event that Caddy emits before it stops them.
type handover struct {
	servers []*caddyhttp.Server // while the config is provisioned

	mu     sync.Mutex
	unread map[net.Conn]struct{} // accepted, and not read from
}

func newHandover(ctx caddy.Context) (*handover, error) {
	ho := &handover{unread: make(map[net.Conn]struct{})}
	events, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	return ho, events.(*caddyevents.App).On("stopping", ho)
}

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

// Handle implements caddyevents.Handler. It is called before the config is
// stopped; in a reload the new one serves already.
func (ho *handover) Handle(context.Context, caddy.Event) error {
	for deadline := time.Now().Add(patience); ho.waiting() > 0 && time.Now().Before(deadline); {
		time.Sleep(lookEvery)
	}
	return nil
}

func (ho *handover) waiting() int {
	ho.mu.Lock()
	defer ho.mu.Unlock()
	return len(ho.unread)
}

// Interface guard
var _ caddyevents.Handler = (*handover)(nil)
