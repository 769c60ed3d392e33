package webhook

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// stateKey is where the hooks of a Caddyfile are remembered while it is read.
const stateKey = "hookgate.hooks"

// namedHook is a hook that was read before.
type namedHook struct {
	identity string // what its events are, and by what they are told apart
	place    string // file and line
}

// claimName remembers the hook. Two of the same name share their event IDs,
// which is right for one hook on two hosts or under two paths. With different
// contracts, or IDs from different places, each would take the other's events
// for duplicates or conflicts of its own.
func (c *hookConfig) claimName(h httpcaddyfile.Helper, place string) error {
	hooks, _ := h.State[stateKey].(map[string]namedHook)
	if hooks == nil {
		hooks = make(map[string]namedHook)
		h.State[stateKey] = hooks
	}
	v := &c.validate
	this := namedHook{
		identity: fmt.Sprintf("%s %s %s", v.Contract, v.ContractFile, h.JSON(v.EventID)),
		place:    place,
	}
	if other, taken := hooks[c.name]; taken && other.identity != this.identity {
		return h.Errf("the hook %q stands at %s with another contract or event_id: they would take each other's events for their own; give one of them another name", c.name, other.place)
	}
	hooks[c.name] = this
	return nil
}
