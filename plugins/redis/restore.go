package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/hook"
)

// Restore implements hook.Restorer.
func (s *Store) Restore(ctx context.Context, records ...hook.Record) error {
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
	return s.do(ctx, func(a *attempt) error {
		cmds := make([]goredis.Cmder, len(records))
		for i, r := range records {
			cmds[i] = goredis.NewStatusCmd(a.ctx, "set", s.key(r.Key), committedValue(r.Fingerprint), "nx", "px", milliseconds(r.TTL))
		}
		a.send(cmds)
		for _, cmd := range cmds {
			if err := cmd.Err(); err != nil && !isNil(err) {
				return err
			}
		}
		return nil
	})
}

// Interface guard
var _ hook.Restorer = (*Store)(nil)
