package webhook

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// stateKey is where the hooks of a Caddyfile are remembered while it is read.
const stateKey = "hookgate.hooks"

// namedHook is a hook that was read before.
type namedHook struct {
	identity    string // what its events are, and by what they are told apart
	destination string // where they go
	place       string // file and line
}

// claimName remembers the hook. Two of the same name share their event IDs,
// which is right for one hook on two hosts or under two paths. With different
// contracts, or IDs from different places, each would take the other's events
// for duplicates or conflicts of its own. With different destinations, an event
// that was sent to one of them would never get to the other.
func (c *hookConfig) claimName(h httpcaddyfile.Helper, place string) error {
	hooks, _ := h.State[stateKey].(map[string]namedHook)
	if hooks == nil {
		hooks = make(map[string]namedHook)
		h.State[stateKey] = hooks
	}
	v, p := &c.validate, &c.publish
	this := namedHook{
		identity:    fmt.Sprintf("%s %s %s", v.Contract, v.ContractFile, h.JSON(v.EventID)),
		destination: fmt.Sprintf("%q %q %q", p.RoutingKey, p.Queue, p.Task),
		place:       place,
	}
	other, taken := hooks[c.name]
	switch {
	case taken && other.identity != this.identity:
		return h.Errf("the hook %q stands at %s with another contract or event_id: they would take each other's events for their own; give one of them another name", c.name, other.place)
	case taken && other.destination != this.destination:
		return h.Errf("the hook %q stands at %s with another routing_key, queue or format: what was sent to one of them would be a duplicate for the other; give one of them another name", c.name, other.place)
	}
	hooks[c.name] = this
	return nil
}
