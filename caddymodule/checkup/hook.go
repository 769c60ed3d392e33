package checkup

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/caddymodule/allowlist"
	"github.com/hookgate/hookgate/caddymodule/dedup"
	"github.com/hookgate/hookgate/caddymodule/publish"
	"github.com/hookgate/hookgate/doctor"
)

// eachHook runs a check for every hook.
func (p *patient) eachHook(look func(*doctor.Notes, *hook)) (all []doctor.Finding) {
	for _, h := range p.hooks {
		n := &doctor.Notes{About: h.name()}
		look(n, h)
		all = append(all, n.List...)
	}
	return all
}

// public reports whether others than those of a private network may send.
func (h *hook) public() bool { return h.allow == nil || !allowlist.OnlyPrivate(h.allow) }

// observes reports whether a list is there to be looked at only.
func (h *hook) observes() bool {
	return slices.ContainsFunc(h.allow, func(raw json.RawMessage) bool {
		var s struct{ Observe bool }
		return json.Unmarshal(raw, &s) == nil && s.Observe
	})
}

// authentic reports whether a sender has to show that it is the one.
func (h *hook) authentic() bool { return h.auth != nil || h.server.clients() }

func hookAllow(p *patient) []doctor.Finding {
	return p.eachHook(func(n *doctor.Notes, h *hook) {
		const check = "hook.allow"
		switch {
		case h.allow == nil && h.server.local():
			n.OK(check, "any address, on this machine")
		case h.allow == nil && h.authentic():
			n.Warn(check, "any address, with auth", "set allow to the addresses of your senders: a filter keeps the rest of the world away")
		case h.allow == nil:
			n.Fail(check, "any address, without auth", "set allow, and auth: anybody may send events")
		case h.observes() && !h.authentic():
			n.Fail(check, "any address, without auth: allow genesys only observes", "take observe away once its log is quiet, and set auth")
		case h.observes():
			n.Warn(check, "any address, with auth: allow genesys only observes", "take observe away once its log is quiet")
		case !h.public():
			n.OK(check, "private addresses")
		default:
			n.OK(check, "addresses from "+h.sources())
		}
	})
}

func hookAuth(p *patient) []doctor.Finding {
	return p.eachHook(func(n *doctor.Notes, h *hook) {
		const check = "hook.auth"
		switch {
		case h.auth != nil:
			schemes := ""
			for _, rule := range h.auth.Rules {
				schemes += " " + rule.Scheme
			}
			n.OK(check, "a sender shows"+schemes)
		case h.server.clients():
			n.OK(check, "a sender shows a certificate")
		case h.server.local():
			n.OK(check, "no auth, on this machine")
		case h.public():
			n.Fail(check, "public addresses may send without auth", "set auth: Genesys Cloud's addresses serve every one of its customers")
		default:
			n.Warn(check, "no auth: who is in the private network may send", "set auth, such as auth header X-Edge-Token {file./run/secrets/edge_token}")
		}
	})
}

func hookAllowFile(p *patient) (all []doctor.Finding) {
	for _, h := range p.hooks {
		for _, raw := range h.allow {
			var s struct{ Source, Path string }
			if json.Unmarshal(raw, &s) != nil || s.Source != "genesys_file" {
				continue
			}
			path := caddy.NewReplacer().ReplaceKnown(s.Path, "")
			all = append(all, doctor.ListFile(h.name(), path, p.opts.Now)...)
		}
	}
	return all
}

// source is what sends to a hook, as far as its settings show.
type source string

const (
	dataAction    source = "a data action"  // is not sent again
	openMessaging source = "Open Messaging" // 5 more attempts within 85 s, each of 10 s
	unknown       source = "any sender"
)

// sender tells by what genesys_webhook sets for a source.
func (h *hook) sender() source {
	switch {
	case h.publish == nil:
		return unknown
	case h.publish.AcceptedStatus == 200 && h.validate != nil && h.validate.AnyMediaType:
		return openMessaging
	case h.publish.OnStoreFailure == publish.Publish:
		return dataAction
	}
	return unknown
}

// ttl returns how long a hook remembers an event ID.
func (h *hook) ttl() time.Duration {
	ttl := publish.DefaultTTL
	switch {
	case h.dedup != nil && h.dedup.TTL != 0:
		ttl = time.Duration(h.dedup.TTL)
	case h.dedup != nil:
		ttl = dedup.DefaultTTL
	case h.publish.TTL != 0:
		ttl = time.Duration(h.publish.TTL)
	}
	return ttl
}

// lease returns how long an ID is taken while its event is.
func (h *hook) lease() time.Duration {
	switch {
	case h.dedup == nil:
		return accept.Lease(h.budget())
	case h.dedup.Lease != 0:
		return time.Duration(h.dedup.Lease)
	}
	return dedup.DefaultLease
}

// minTTL is how long an ID has to be remembered where a sender tries again: Open
// Messaging does so within 85 s, and others in longer pauses. Who loops over a
// data action does so in minutes.
var minTTL = map[source]time.Duration{openMessaging: 10 * time.Minute, dataAction: 10 * time.Minute, unknown: time.Hour}

func hookTTL(p *patient) []doctor.Finding {
	return p.eachHook(func(n *doctor.Notes, h *hook) {
		const check = "hook.ttl"
		ttl, from := h.ttl(), h.sender()
		lease := h.lease()
		seen := fmt.Sprintf("%s, for %s", ttl, from)
		switch {
		case ttl < lease:
			n.Fail(check, fmt.Sprintf("%s, and a lease of %s", ttl, lease), "raise ttl above the lease: an ID would be free while its event is taken")
		case ttl < minTTL[from] && from != unknown:
			n.Fail(check, seen, fmt.Sprintf("raise ttl to %s at least: what is sent again later is taken twice", minTTL[from]))
		case ttl < minTTL[from]:
			n.Warn(check, seen, "raise ttl above the longest pause between two attempts of the sender")
		default:
			n.OK(check, seen)
		}
	})
}

func hookAge(p *patient) []doctor.Finding {
	return p.eachHook(func(n *doctor.Notes, h *hook) {
		if h.validate == nil || h.validate.MaxEventAge == 0 {
			return
		}
		age := time.Duration(h.validate.MaxEventAge)
		status := doctor.OK
		if age >= h.ttl() {
			status = doctor.Fail
		}
		n.Grade("hook.max_event_age", status, fmt.Sprintf("%s, and a ttl of %s", age, h.ttl()),
			"set it below ttl: an old event that somebody kept is taken again once its ID is forgotten")
	})
}

// budget is how long an answer takes at most.
func (h *hook) budget() time.Duration {
	switch {
	case h.failFast != nil && h.failFast.Budget != 0:
		return time.Duration(h.failFast.Budget)
	case h.publish != nil && h.publish.Timeout != 0:
		return time.Duration(h.publish.Timeout)
	}
	return publish.DefaultTimeout
}

// patience is how long a sender waits: that of a data action is set there, from 1
// to 60 s.
var patience = map[source]time.Duration{dataAction: time.Minute, openMessaging: 10 * time.Second, unknown: 10 * time.Second}

func hookTimeout(p *patient) []doctor.Finding {
	return p.eachHook(func(n *doctor.Notes, h *hook) {
		const check = "hook.timeout"
		budget, from := h.budget(), h.sender()
		seen := fmt.Sprintf("%s, for %s", budget, from)
		switch {
		case h.publish == nil && h.failFast == nil:
			n.Warn(check, "no bound", "add fail_fast before webhook_dedup: a sender gives up, and sends again")
		case budget >= patience[from]:
			n.Fail(check, seen, fmt.Sprintf("lower timeout below %s: the sender gives up before the answer", patience[from]))
		case from == dataAction && budget >= time.Second:
			n.Warn(check, seen, "set the timeout of the data action in Genesys Cloud above it: it may be one second")
		default:
			n.OK(check, seen)
		}
	})
}
