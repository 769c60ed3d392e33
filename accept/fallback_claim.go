package accept

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// errIncomplete is the fault of the caller: no store is asked, and none is blamed.
var errIncomplete = errors.New("accept: the claim has no key, no lease or no time to live")

// Claim implements hook.Store.
func (f *Fallback) Claim(ctx context.Context, c hook.Claim) (hook.State, hook.Fingerprint, error) {
	if err := ctx.Err(); err != nil {
		return 0, hook.Fingerprint{}, err
	}
	if c.Key == "" || c.Lease <= 0 {
		return 0, hook.Fingerprint{}, errIncomplete
	}
	if f.now() != onPrimary {
		a, err := f.ask(ctx, f.secondary, c)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("the primary is down; fallback: %w", err)
		}
		return a.state, a.fp, err
	}
	a, err := f.ask(ctx, f.primary, c)
	if err == nil {
		f.lastGood.Store(int64(time.Since(f.begun)))
		return a.state, a.fp, nil
	}
	if ctx.Err() != nil {
		return 0, hook.Fingerprint{}, err
	}
	f.detours.Add(1)
	a, second := f.ask(ctx, f.secondary, c)
	if second != nil {
		return 0, hook.Fingerprint{}, fmt.Errorf("primary: %w; fallback: %w", err, second)
	}
	return a.state, a.fp, nil
}

// ask asks one store for a claim, unless it is known what the answer must be.
func (f *Fallback) ask(ctx context.Context, s *side, c hook.Claim) (a answer, err error) {
	ok, fp := f.ledger.enter(s, c)
	if !ok {
		return answer{hook.Pending, fp}, nil
	}
	since := time.Now()
	defer func() { f.ledger.leave(c, a, since) }() // of a panic, too
	// After enter: a claim that has ended since then is owed.
	if fp, ok := f.isOwed(c.Key); ok {
		return answer{hook.Committed, fp}, nil
	}
	a, err = s.claim(ctx, c)
	if err != nil {
		return answer{}, err
	}
	if a.state == hook.Ours {
		// It may have been committed in the other store meanwhile.
		if fp, ok := f.isOwed(c.Key); ok {
			return answer{hook.Committed, fp}, nil
		}
	}
	s.claims.Add(1)
	return a, nil
}

// isOwed reports whether either store is owed a key, which is committed then.
// It matters for both: a store that has it may lose it in a crash.
func (f *Fallback) isOwed(key string) (fp hook.Fingerprint, ok bool) {
	if fp, ok = f.primary.owed.committed(key); ok {
		return fp, true
	}
	return f.secondary.owed.committed(key)
}

// where returns the store that a claim was taken in. Nobody knows that of one
// which another Fallback has taken, before a change of the settings.
func (f *Fallback) where(c hook.Claim) *side {
	if s := f.ledger.of(c); s != nil {
		return s
	}
	lead, _ := f.lead()
	return lead
}

// Renew implements hook.Store.
func (f *Fallback) Renew(ctx context.Context, c hook.Claim) (held bool, err error) {
	s := f.where(c)
	held, err = s.store.Renew(ctx, c)
	if err == nil && !held {
		f.ledger.forget(c)
		return false, nil
	}
	// Where the store does not answer, the claim is still ours in this process.
	f.ledger.renew(c)
	return held, err
}

// Release implements hook.Store.
func (f *Fallback) Release(ctx context.Context, c hook.Claim) error {
	s := f.where(c)
	err := s.store.Release(ctx, c)
	f.ledger.forget(c)
	return err
}

// Commit implements hook.Store. It is done when one of the stores has the keys.
// Where neither has, that is an error, and both are owed them all the same: the
// work is done.
func (f *Fallback) Commit(ctx context.Context, claims ...hook.Claim) error {
	if len(claims) == 0 {
		return nil
	}
	for _, c := range claims {
		if c.Key == "" || c.TTL <= 0 {
			return errIncomplete
		}
	}
	lead, other := f.lead()
	err := lead.commit(ctx, commitBound, claims)
	if err != nil {
		if second := other.commit(ctx, 0, claims); second != nil {
			lead.owed.add(claims)
			other.owed.add(claims)
			f.ledger.settled(claims)
			return errors.Join(fmt.Errorf("%s: %w", lead.name, err), fmt.Errorf("%s: %w", other.name, second))
		}
		lead, other = other, lead
	}
	other.owed.add(claims)
	f.ledger.settled(claims)
	return nil
}
