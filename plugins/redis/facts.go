package redis

import (
	"strings"

	"go.uber.org/zap"
)

// note takes what the servers said, and warns of those that may evict: a claim
// that is gone makes an event new that was accepted before.
func (w *watcher) note(servers []info) {
	s := w.store
	f := new(facts)
	versions := make([]string, 0, len(servers))
	for _, in := range servers {
		versions = append(versions, in["redis_version"])
		policy := in["maxmemory_policy"]
		evicts := policy != "" && policy != "noeviction"
		if f.policy == "" || evicts && !f.evicts {
			f.policy = policy
		}
		f.evicts = f.evicts || evicts
		f.evicted += in.number("evicted_keys")
		f.used += in.number("used_memory")
		f.limit += in.number("maxmemory")
	}
	s.dialect.version(oldest(versions))
	s.facts.Store(f)

	if f.policy != w.policy {
		switch {
		case f.evicts:
			s.log.Warn("redis may evict claims when its memory is full, and events that were accepted before are then new: set maxmemory-policy to noeviction",
				zap.String("maxmemory_policy", f.policy), zap.Uint64("maxmemory", f.limit))
		case w.policy != "":
			s.log.Info("redis does not evict any more", zap.String("maxmemory_policy", f.policy))
		}
		w.policy = f.policy
	}
	if w.counted && f.evicted > w.evicted {
		s.log.Warn("redis has evicted keys, which may be claims", zap.Uint64("evicted", f.evicted-w.evicted))
	}
	w.evicted, w.counted = f.evicted, true
}

// oldest returns the version that the servers have in common.
func oldest(versions []string) string {
	for _, v := range versions {
		if !knowsNXGet(v) {
			return v
		}
	}
	return strings.Join(versions[:min(1, len(versions))], "")
}
