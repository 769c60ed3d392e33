package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/hook"
)

// claim claims for a batch and answers its callers.
func (s *Store) claim(ctx context.Context, batch []*op) {
	s.counts.batches.Add(1)
	s.counts.claims.Add(uint64(len(batch)))
	a := attempt{store: s, ctx: ctx}
	if s.dialect.oneStep() {
		batch = a.oneStep(batch)
	}
	if len(batch) > 0 {
		a.twoSteps(batch)
	}
}

// oneStep claims in one command. It returns the claims that a server has
// refused which does not know it.
func (a *attempt) oneStep(batch []*op) (left []*op) {
	cmds := make([]goredis.Cmder, len(batch))
	for i, o := range batch {
		cmds[i] = goredis.NewStringCmd(a.ctx, o.args...)
	}
	a.send(cmds)
	for i, o := range batch {
		value, err := cmds[i].(*goredis.StringCmd).Result()
		switch {
		case isNil(err): // nothing was there
			a.store.win(o)
		case isSyntaxError(err):
			a.store.dialect.refused()
			left = append(left, o)
			continue
		case err != nil:
			a.store.lose(o, err)
		default:
			a.store.settleBy(o, value)
		}
		o.finish()
	}
	return left
}

// twoSteps claims with a command that says only whether it won, and looks at
// what is there where it did not.
func (a *attempt) twoSteps(batch []*op) {
	cmds := make([]goredis.Cmder, len(batch))
	for i, o := range batch {
		cmds[i] = goredis.NewStatusCmd(a.ctx, "set", o.key, o.value, "nx", "px", o.lease)
	}
	a.send(cmds)
	taken, gets := batch[:0], cmds[:0]
	for i, o := range batch {
		switch err := cmds[i].Err(); {
		case err == nil:
			a.store.win(o)
		case isNil(err):
			taken = append(taken, o)
			gets = append(gets, goredis.NewStringCmd(a.ctx, "get", o.key))
			continue
		default:
			a.store.lose(o, err)
		}
		o.finish()
	}
	if len(taken) == 0 {
		return
	}
	a.send(gets)
	for i, o := range taken {
		value, err := gets[i].(*goredis.StringCmd).Result()
		switch {
		case isNil(err):
			// It has ended in between. The caller looks again.
			o.state = hook.Pending
		case err != nil:
			a.store.lose(o, err)
		default:
			a.store.settleBy(o, value)
		}
		o.finish()
	}
}

func (s *Store) win(o *op) {
	o.state, o.fp = hook.Ours, o.own
	s.health.ok()
}

func (s *Store) settleBy(o *op, value string) {
	o.state, o.fp, o.err = judge(value, o.token)
	s.health.ok()
}

func (s *Store) lose(o *op, err error) {
	o.err = failure(err)
	s.health.note(o.err)
}
