package accept

import (
	"context"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// probeKey is a key that no event has: the name of a hook begins otherwise.
const probeKey = "hookgate:.fallback"

// watch looks after the primary once it was left.
func (f *Fallback) watch() {
	for {
		select {
		case <-f.stop:
			return
		case why := <-f.tripped:
			f.log.Warn("the store does not answer: claims are taken by its fallback", zap.Error(why))
			f.changed(true)
		}
		if !f.comeBack() {
			return
		}
	}
}

func (f *Fallback) changed(onFallback bool) {
	if f.opts.OnChange != nil {
		f.opts.OnChange(onFallback)
	}
}

// comeBack looks at the primary again and again, and returns when it is used
// again. It reports false at the end.
func (f *Fallback) comeBack() bool {
	tick := time.NewTicker(probePause)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return false
		case <-tick.C:
		}
		if f.primary.breaker.State() == gobreaker.StateOpen {
			continue
		}
		// The one probe that the breaker lets through is all of it: it closes
		// only when the primary knows what it has missed.
		var given uint64
		_, err := f.primary.breaker.Execute(func() (_ answer, err error) {
			given, err = f.giveBack()
			return answer{}, err
		})
		if err != nil {
			f.mode.Store(int32(away))
			continue
		}
		f.lastGood.Store(int64(time.Since(f.begun)))
		f.mu.Lock()
		took := time.Since(f.since)
		f.since, f.spent = time.Time{}, f.spent+took
		f.mu.Unlock()
		f.mode.Store(int32(onPrimary))
		if f.primary.breaker.State() == gobreaker.StateOpen { // by commits, meanwhile
			f.leave(f.primary.lastFailure())
		}
		f.log.Info("the store answers again, and takes the claims", zap.Duration("fallback", took), zap.Uint64("given_back", given))
		f.changed(false)
		return true
	}
}

// giveBack probes the primary, and tells it what it has missed. An error is the
// primary's.
func (f *Fallback) giveBack() (given uint64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), f.opts.Timeout)
	_, _, err = f.primary.store.Claim(ctx, hook.Claim{Key: probeKey, Token: hook.NewToken(), Lease: time.Second, TTL: time.Second})
	cancel()
	if err != nil && (f.opts.Ignore == nil || !f.opts.Ignore(err)) {
		return 0, err
	}
	lister, ok := f.secondary.store.(hook.Lister)
	restorer, able := f.primary.store.(hook.Restorer)
	if !ok || !able {
		return 0, nil // it is owed what this process has committed
	}
	// From here on what is committed goes to the primary too, so that nothing
	// is committed behind the list's back.
	f.mode.Store(int32(returning))
	ctx, cancel = context.WithTimeout(context.Background(), giveBackTime)
	defer cancel()
	go func() {
		select {
		case <-f.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	var primary error
	err = lister.List(ctx, f.missed(), func(records []hook.Record) error {
		if primary = restorer.Restore(ctx, records...); primary != nil {
			return primary
		}
		given += uint64(len(records))
		f.givenBack.Add(uint64(len(records)))
		return nil
	})
	switch {
	case primary != nil && ctx.Err() == nil:
		return given, primary
	case err != nil:
		// The primary is there. What it does not know costs some copies, and
		// waiting for it would cost more.
		f.incomplete.Add(1)
		f.log.Warn("the store could not be told all that was committed while it was down: copies of these events may be let through",
			zap.Uint64("given_back", given), zap.Error(err))
	}
	return given, nil
}

// forever is a time in which everything was committed.
const forever = 10 * 365 * 24 * time.Hour

// missed returns the time in which the primary may have missed commits. A
// process that has never seen it well does not know.
func (f *Fallback) missed() time.Duration {
	good := time.Duration(f.lastGood.Load())
	if good < 0 {
		return forever
	}
	return time.Since(f.begun) - good + margin
}
