package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// probeKey is a key that no claim has, and that the user may touch: the name of
// a hook begins otherwise.
func (s *Store) probeKey() string {
	if s.opts.Inbox {
		return "inbox:.probe"
	}
	return "hookgate:.probe"
}

// watcher is what the goroutine of Store.watch knows.
type watcher struct {
	store    *Store
	logged   error // as last logged
	begun    bool  // something was logged
	lines    int   // logged since
	since    time.Time
	told     time.Time // when the last line was logged
	surveyed time.Time
	refusal  string // why INFO or scripts were refused, as last logged
	policy   string // as last warned of
	evicted  uint64 // as last seen
	counted  bool   // evicted was seen
}

// watch looks at the server until the store is closed: whether it works, when
// nobody else has found out lately, and once a minute what it says of itself.
func (s *Store) watch() {
	w := watcher{store: s}
	ticker := time.NewTicker(s.tick)
	defer ticker.Stop()
	for {
		w.look()
		select {
		case <-s.stopping:
			return
		case <-ticker.C:
		}
	}
}

func (w *watcher) look() {
	s := w.store
	if used := s.health.used.Swap(false); !used || s.health.get() != nil {
		s.probe()
	}
	err := s.health.get()
	healed := err == nil && (w.logged != nil || !w.begun)
	w.log(err)
	if err == nil && (healed || time.Since(w.surveyed) >= s.survey) {
		w.surveyed = time.Now()
		w.survey()
	}
}

// maxLines is how many changes are logged in a minute: a cluster of which a part
// is down comes and goes with every claim.
const maxLines = 6

// log tells of a change, at most one in a tick. One that is too many is told of
// later, if it lasts. That the reason is another is told of once a minute.
func (w *watcher) log(err error) {
	s := w.store
	another := false // reason; a server that came back may refuse us
	if w.begun && (err == nil) == (w.logged == nil) {
		another = err != nil && err.Error() != w.logged.Error() && time.Since(w.told) > time.Minute
		if !another {
			return
		}
	}
	if time.Since(w.since) > time.Minute {
		w.since, w.lines = time.Now(), 0
	}
	if w.lines++; w.lines > maxLines {
		return
	}
	addrs := zap.Strings("addresses", s.opts.Addrs)
	switch {
	case s.phase.Load() == phaseClosed:
	case another:
		s.log.Warn("redis store still cannot be used, for another reason", zap.Error(err), addrs)
	case err != nil:
		s.log.Warn("redis store cannot be used", zap.Error(err), addrs)
	case w.begun:
		s.log.Info("redis store can be used again", addrs)
	default:
		s.log.Info("redis store can be used", addrs)
	}
	w.begun, w.logged, w.told = true, err, time.Now()
}

// probe writes as a claim does. A ping would be answered by a server that has
// no memory left, or is a replica now.
func (s *Store) probe() {
	_ = s.do(context.Background(), func(a *attempt) error {
		cmd := goredis.NewStatusCmd(a.ctx, "set", s.key(s.probeKey()), "probe", "px", 1000)
		a.send([]goredis.Cmder{cmd})
		return cmd.Err()
	})
}

// survey asks the servers about themselves, and tries what claims need beside
// SET: a user that may not run scripts could claim and never release.
func (w *watcher) survey() {
	s := w.store
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.Timeout)
	defer cancel()
	servers, err := s.infos(ctx)
	if err == nil {
		w.note(servers)
		_, err = s.eval(ctx, releaseScript, hook.Claim{Key: s.probeKey()})
	} else {
		err = failure(err)
	}
	switch {
	case err == nil:
		w.refusal = ""
	case kindOf(err) == kindAnswer && err.Error() != w.refusal:
		w.refusal = err.Error()
		s.log.Warn("redis store may not do all that it should: its user lacks rights", zap.Error(err))
	}
}
