package live

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/ipranges"
)

const (
	fetchTime  = 2 * time.Minute // for one fetch, with all its attempts
	minBackoff = time.Second     // bounds the first pause after a failure
	maxBackoff = 5 * time.Minute // and the last
	leastPause = 200 * time.Millisecond
	maxAsked   = time.Hour // that Genesys may ask to wait: a proxy in between may say a year
)

// run keeps the list until the context ends. What was known before a restart is
// there at once.
func (k *Keeper) run(ctx context.Context) {
	k.recall(ctx)
	failed := 0
	for {
		err := k.refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		k.report(err)
		if failed++; err == nil {
			failed = 0
		}
		timer := time.NewTimer(k.pause(err, failed))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// pause says how long to wait: until the list is to be fetched anew, give or
// take a tenth so that nodes do not ask all at once; after a failure shorter at
// first, and as long as Genesys asks, up to an hour.
func (k *Keeper) pause(err error, failed int) time.Duration {
	k.mu.Lock()
	asked := k.record.asked
	k.mu.Unlock()
	refresh := k.opts.Refresh
	if err == nil {
		jitter := rand.N(refresh/5+1) - refresh/10
		return max(leastPause, time.Until(asked)+refresh+jitter)
	}
	limit := min(minBackoff<<min(failed-1, 20), maxBackoff, max(refresh, minBackoff))
	wait := leastPause + rand.N(limit)
	if e, ok := errors.AsType[*genesys.Error](err); ok {
		wait += min(e.RetryAfter, maxAsked)
	}
	return wait
}

// recall takes over what is in the storage.
func (k *Keeper) recall(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	if r := k.load(ctx); r != nil && !k.older(r) {
		k.adopt(r)
	}
}

// refresh fetches the list, unless another node just did.
func (k *Keeper) refresh(ctx context.Context) error {
	unlock := k.lock(ctx)
	defer unlock()
	if r := k.load(ctx); r != nil && !k.older(r) {
		k.adopt(r)
		if k.fresh(r.asked) {
			k.count(func(s *Stats) { s.Shared++ })
			return nil
		}
	}
	fetchCtx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	raw, err := k.opts.Fetch(fetchCtx)
	if err != nil {
		return err
	}
	answer, err := ipranges.Read(raw)
	if err != nil {
		return fmt.Errorf("the list of IP ranges from genesys cloud cannot be used: %w", err)
	}
	k.mu.Lock()
	next, held := k.record.judge(normal(answer), time.Now())
	k.mu.Unlock()
	k.count(func(s *Stats) {
		if held {
			s.Held++
		} else {
			s.Fetched++
		}
	})
	if held {
		k.opts.Logger.Warn("the list of Genesys addresses has shrunk to less than a half: it is taken when it has come three times in a row",
			zap.Int("ranges", len(answer)), zap.Int("seen", next.seen))
	}
	k.adopt(next)
	k.store(ctx, next)
	return nil
}

// fresh reports whether an answer is recent enough to be shared. A clock that is
// ahead of ours does not make it so for ever.
func (k *Keeper) fresh(asked time.Time) bool {
	age := time.Since(asked)
	return age < k.opts.Refresh*8/10 && age > -k.opts.Refresh
}

// older reports whether what is known is newer than a record.
func (k *Keeper) older(r *record) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return r.asked.Before(k.record.asked)
}

// adopt takes over a record.
func (k *Keeper) adopt(r *record) {
	k.mu.Lock()
	before := k.record.list
	k.record = *r
	changed := before == nil || before.digest != r.list.digest
	first := before == nil
	if changed {
		for _, v := range k.views {
			v.show(r.list.entries)
		}
		if !first {
			k.stats.Changes++
		}
	}
	k.mu.Unlock()
	if !changed {
		return
	}
	change := difference(before, r.list)
	k.opts.Logger.Info("the list of Genesys addresses is new",
		zap.Int("entries", len(r.list.entries)), zap.Strings("added", texts(change.Added)), zap.Strings("removed", texts(change.Removed)),
		zap.Strings("kept_without_entries", r.list.carried))
	if u := k.user(); u != nil && u.Changed != nil && !first {
		u.Changed(change)
	}
}

// maxTexts is how many entries a log line has.
const maxTexts = 20

func texts(entries []ipranges.Entry) []string {
	var s []string
	for i, e := range entries {
		if i == maxTexts {
			return append(s, fmt.Sprintf("and %d more", len(entries)-i))
		}
		s = append(s, e.Prefix.String()+" "+e.Service)
	}
	return s
}

func (k *Keeper) count(fn func(*Stats)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fn(&k.stats)
}

// report tells of a failure, and of a list that grows old: once a day.
func (k *Keeper) report(err error) {
	k.mu.Lock()
	k.stats.LastError = ""
	if err != nil {
		k.stats.Failed++
		k.stats.LastError = err.Error()
	}
	if k.record.list == nil {
		for _, v := range k.views {
			v.lack(err)
		}
	}
	known, age := k.record.list != nil, time.Since(k.record.confirmed)
	old := known && age > OldAge && time.Since(k.warned) > 24*time.Hour
	if old {
		k.warned = time.Now()
	}
	k.mu.Unlock()
	switch {
	case err != nil && known:
		k.opts.Logger.Warn("the addresses of Genesys could not be fetched: what is known stays", zap.Error(err))
	case err != nil:
		k.opts.Logger.Warn("the addresses of Genesys could not be fetched, and none are known: nobody is let in", zap.Error(err))
	}
	if old {
		k.opts.Logger.Warn("the list of Genesys addresses is older than seven days: Genesys may send from others by now", zap.Duration("age", age.Round(time.Hour)))
	}
}
