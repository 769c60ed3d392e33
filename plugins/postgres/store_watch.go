package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// probeSQL writes as a claim does: a standby, and a user that may only read,
// would answer a SELECT. The row is always the same, never runs out, and no
// claim has its key.
const probeSQL = `insert into ` + claimsTable + ` (key, token, fingerprint, expires_at)
values ('.probe', '\x00', decode(repeat('00', 32), 'hex'), 'infinity')
on conflict (key) do update set token = excluded.token`

// expireSQL deletes what has run out. Several edges do so at once: what one has
// taken another leaves to it.
const expireSQL = `with old as materialized (
	select key from ` + claimsTable + ` where expires_at <= now() order by expires_at limit $1 for update skip locked)
delete from ` + claimsTable + ` c using old where c.key = old.key`

// health is what the last operations say about the server. It decides nothing:
// every claim is tried all the same.
type health struct {
	err  atomic.Pointer[error] // nil when it is well
	used atomic.Bool           // it was well since the last tick
}

func (h *health) get() error {
	if err := h.err.Load(); err != nil {
		return *err
	}
	return nil
}

// ok and fail are called for each operation: they write only what changes, so
// that processors do not take the memory from each other.
func (h *health) ok() {
	if h.err.Load() != nil {
		h.err.Store(nil)
	}
	if !h.used.Load() {
		h.used.Store(true)
	}
}

func (h *health) fail(err error) { h.err.Store(&err) }

func (h *health) note(err error) {
	if !errors.Is(err, ErrClosed) {
		h.fail(err)
	}
}

// watch looks at the server until the store is closed: whether it works, when
// nobody else has found out lately.
func (s *Store) watch(ctx context.Context) {
	var (
		logged error
		begun  bool
	)
	ticker := time.NewTicker(s.tick)
	defer ticker.Stop()
	for {
		if used := s.health.used.Swap(false); !used || s.health.get() != nil {
			_ = s.do(ctx, s.opts.settle(), func(ctx context.Context) error {
				_, err := s.pool.Exec(ctx, probeSQL)
				return err
			})
		}
		err := s.health.get()
		changed := !begun || (err == nil) != (logged == nil) || err != nil && logged != nil && err.Error() != logged.Error()
		if changed && ctx.Err() == nil {
			switch {
			case err != nil:
				s.log.Warn("postgres store cannot be used", zap.Error(err))
			case begun:
				s.log.Info("postgres store can be used again")
			default:
				s.log.Info("postgres store can be used")
			}
			begun, logged = true, err
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// expireNowAndThen deletes what has run out, until the store is closed. Many
// edges do not all begin at the same time.
func (s *Store) expireNowAndThen(ctx context.Context) {
	wait := time.NewTimer(rand.N(s.expiry))
	defer wait.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		err := s.expire(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			s.log.Warn("old claims cannot be deleted, and their table grows", zap.Error(err))
		}
		failed = err != nil
		wait.Reset(s.expiry/2 + rand.N(s.expiry))
	}
}

// expire deletes what has run out, in small statements that hold nobody up.
func (s *Store) expire(ctx context.Context) error {
	for {
		var deleted int64
		err := s.do(ctx, s.opts.settle(), func(ctx context.Context) error {
			tag, err := s.pool.Exec(ctx, expireSQL, expireBatch)
			deleted = tag.RowsAffected()
			return err
		})
		s.counts.expired.Add(uint64(deleted))
		if err != nil || deleted < expireBatch {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(expirePause):
		}
	}
}
