package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hookgate/hookgate/hook"
)

// listBatch is how many commits are read in one round trip.
const listBatch = 250

const (
	// listSQL reads the commits before a place in their order. What an inbox
	// remembers is none of the edge's.
	listSQL = `select key, fingerprint, ceil(extract(epoch from expires_at - now()) * 1000)::bigint, committed_at
from ` + claimsTable + `
where committed_at >= now() - $1 * interval '1 millisecond' and (committed_at, key) < ($2::timestamptz, $3::text)
and expires_at > now() and ($4 or key not like 'inbox:%')
order by committed_at desc, key desc limit $5`

	restoreSQL = `insert into ` + claimsTable + ` as c (key, fingerprint, expires_at, committed_at)
select k, f, now() + t * interval '1 millisecond', now() from unnest($1::text[], $2::bytea[], $3::bigint[]) as u (k, f, t)
on conflict (key) do update
set token = null, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at, committed_at = excluded.committed_at
where c.expires_at <= now()`
)

// List implements hook.Lister. A Store that is not Durable leaves out the keys
// of inboxes, which another one may have written.
func (s *Store) List(ctx context.Context, within time.Duration, fn func([]hook.Record) error) error {
	begin := time.Now()
	place, key := pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}, ""
	for {
		var batch []hook.Record
		at, last := place, key
		err := s.do(ctx, s.opts.settle(), func(ctx context.Context) error {
			batch, at, last = batch[:0], place, key
			rows, err := s.pool.Query(ctx, listSQL, ceil(within+time.Since(begin)), place, key, s.opts.Durable, listBatch)
			if err != nil {
				return err
			}
			var (
				sum  []byte
				left int64
			)
			_, err = pgx.ForEachRow(rows, []any{&last, &sum, &left, &at}, func() error {
				r := hook.Record{Key: last, TTL: time.Duration(left) * time.Millisecond}
				copy(r.Fingerprint[:], sum)
				batch = append(batch, r)
				return nil
			})
			return err
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		if err := fn(batch); err != nil || len(batch) < listBatch {
			return err
		}
		place, key = at, last
	}
}

// Restore implements hook.Restorer.
func (s *Store) Restore(ctx context.Context, records ...hook.Record) error {
	return s.write(ctx, restoreSQL, records)
}
