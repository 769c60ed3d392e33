package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hookgate/hookgate/hook"
)

// claimsTable is where the claims are. A row that was never committed, or is
// not any more, has no committed_at.
const claimsTable = "hookgate.claims"

// The statements. All times are the server's: those of the edges may differ.
const (
	// claimSQL takes the key, or says what is there, in one round trip. Where
	// another has taken it since the statement began, it sees neither the old
	// row nor the new one, and returns nothing.
	claimSQL = `with mine as (
	insert into ` + claimsTable + ` as c (key, token, fingerprint, expires_at)
	values ($1, $2, $3, now() + $4 * interval '1 millisecond')
	on conflict (key) do update
	set token = excluded.token, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at, committed_at = null
	where c.expires_at <= now() or c.committed_at is null and c.token = excluded.token
	returning key)
select true, false, null::bytea from mine
union all
select false, committed_at is not null, fingerprint from ` + claimsTable + `
where key = $1 and expires_at > now() and not exists (select from mine)`

	renewSQL = `update ` + claimsTable + ` set expires_at = now() + $3 * interval '1 millisecond'
where key = $1 and token = $2 and committed_at is null and expires_at > now()`

	releaseSQL = `delete from ` + claimsTable + ` where key = $1 and token = $2 and committed_at is null`

	commitSQL = `insert into ` + claimsTable + ` (key, fingerprint, expires_at, committed_at)
select k, f, now() + t * interval '1 millisecond', now() from unnest($1::text[], $2::bytea[], $3::bigint[]) as u (k, f, t)
on conflict (key) do update
set token = null, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at, committed_at = excluded.committed_at`
)

// Claim implements hook.Store.
func (s *Store) Claim(ctx context.Context, c hook.Claim) (state hook.State, fp hook.Fingerprint, err error) {
	if c.Key == "" {
		return 0, fp, errNoKey
	}
	if c.Lease <= 0 {
		return 0, fp, errNoLease
	}
	s.counts.claims.Add(1)
	err = s.do(ctx, s.opts.Timeout, func(ctx context.Context) error {
		var (
			won, committed bool
			sum            []byte
		)
		err := s.pool.QueryRow(ctx, claimSQL, c.Key, c.Token[:], c.Fingerprint[:], ceil(c.Lease)).Scan(&won, &committed, &sum)
		answer, answered := errors.AsType[*pgconn.PgError](err)
		switch {
		case errors.Is(err, pgx.ErrNoRows), answered && answer.Code == lockNotGot:
			state = hook.Pending // another is about to take it, or has just done so
			return nil
		case err != nil:
			return err
		case won:
			state, fp = hook.Ours, c.Fingerprint
			return nil
		}
		state = hook.Pending
		if committed {
			state = hook.Committed
		}
		copy(fp[:], sum)
		return nil
	})
	if err != nil {
		return 0, hook.Fingerprint{}, err
	}
	return state, fp, nil
}

// Renew implements hook.Store.
func (s *Store) Renew(ctx context.Context, c hook.Claim) (held bool, err error) {
	if c.Key == "" {
		return false, errNoKey
	}
	if c.Lease <= 0 {
		return false, errNoLease
	}
	err = s.do(ctx, s.opts.settle(), func(ctx context.Context) error {
		tag, err := s.pool.Exec(ctx, renewSQL, c.Key, c.Token[:], ceil(c.Lease))
		held = tag.RowsAffected() == 1
		return err
	})
	return held && err == nil, err
}

// Release implements hook.Store.
func (s *Store) Release(ctx context.Context, c hook.Claim) error {
	if c.Key == "" {
		return errNoKey
	}
	return s.do(ctx, s.opts.settle(), func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, releaseSQL, c.Key, c.Token[:])
		return err
	})
}

// Commit implements hook.Store.
func (s *Store) Commit(ctx context.Context, cs ...hook.Claim) error {
	records := make([]hook.Record, len(cs))
	for i, c := range cs {
		records[i] = hook.Record{Key: c.Key, Fingerprint: c.Fingerprint, TTL: c.TTL}
	}
	return s.write(ctx, commitSQL, records)
}

// write commits records in one statement.
func (s *Store) write(ctx context.Context, sql string, records []hook.Record) error {
	for _, r := range records {
		if r.Key == "" {
			return errNoKey
		}
		if r.TTL <= 0 {
			return errNoTTL
		}
	}
	if len(records) == 0 {
		return nil
	}
	keys, sums, ttls := columns(records)
	return s.do(ctx, s.opts.settle(), func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, sql, keys, sums, ttls)
		return err
	})
}

// columns returns records as the statements take them: each key once, since a
// statement cannot change a row twice, and in order, so that two statements
// with the same keys wait for each other and do not lock each other out.
func columns(records []hook.Record) (keys []string, sums [][]byte, ttls []int64) {
	sorted := slices.Clone(records)
	slices.SortStableFunc(sorted, func(a, b hook.Record) int { return cmp.Compare(a.Key, b.Key) })
	for i := range sorted {
		r := &sorted[i]
		if i+1 < len(sorted) && sorted[i+1].Key == r.Key {
			continue // the last one counts
		}
		keys, sums, ttls = append(keys, r.Key), append(sums, r.Fingerprint[:]), append(ttls, ceil(r.TTL))
	}
	return keys, sums, ttls
}

// ceil returns milliseconds, at least one.
func ceil(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }
