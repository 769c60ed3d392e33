package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/hook"
)

// script is Lua that the server keeps under the SHA-1 of its text
// (https://redis.io/docs/latest/develop/programmability/eval-intro/).
type script struct{ text, sha string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text))
	return script{text, hex.EncodeToString(sum[:])}
}

// The scripts take the key, and how its value begins under the caller's token.
// They return 1 where it does.
var (
	releaseScript = newScript(`local v = redis.call("GET", KEYS[1])
if v and string.sub(v, 1, #ARGV[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
return 0`)

	renewScript = newScript(`local v = redis.call("GET", KEYS[1])
if v and string.sub(v, 1, #ARGV[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
return 0`)
)

// Release implements hook.Store.
func (s *Store) Release(ctx context.Context, c hook.Claim) error {
	if c.Key == "" {
		return errNoKey
	}
	_, err := s.eval(ctx, releaseScript, c)
	return err
}

// Renew implements hook.Store.
func (s *Store) Renew(ctx context.Context, c hook.Claim) (held bool, err error) {
	if c.Key == "" {
		return false, errNoKey
	}
	if c.Lease <= 0 {
		return false, errNoLease
	}
	return s.eval(ctx, renewScript, c, milliseconds(c.Lease))
}

// eval runs a script on the claim's key.
func (s *Store) eval(ctx context.Context, sc script, c hook.Claim, args ...any) (bool, error) {
	var n int64
	// Not noted: a user that may not run scripts can claim and commit.
	err := s.try(ctx, func(a *attempt) error {
		run := func(name, what string) error {
			all := append([]any{name, what, 1, s.key(c.Key), heldBy(c.Token)}, args...)
			cmd := goredis.NewIntCmd(a.ctx, all...)
			a.send([]goredis.Cmder{cmd})
			n = cmd.Val()
			return cmd.Err()
		}
		err := run("evalsha", sc.sha)
		if goredis.HasErrorPrefix(err, "NOSCRIPT") { // the server was started anew
			err = run("eval", sc.text)
		}
		return err
	})
	return n == 1 && err == nil, err
}

// record is a commit, with the arguments of its command. They point at it: a
// value each would be one more piece of memory each.
type record struct {
	key, value string
	ttl        int64 // in milliseconds
	args       [5]any
}

// Commit implements hook.Store.
func (s *Store) Commit(ctx context.Context, cs ...hook.Claim) error {
	cmds := make([]goredis.Cmder, len(cs))
	for _, c := range cs {
		if c.Key == "" {
			return errNoKey
		}
		if c.TTL <= 0 {
			return errNoTTL
		}
	}
	return s.do(ctx, func(a *attempt) error {
		records := make([]record, len(cs))
		for i, c := range cs {
			r := &records[i]
			r.key, r.value, r.ttl = s.key(c.Key), committedValue(c.Fingerprint), milliseconds(c.TTL)
			r.args = [...]any{"set", &r.key, &r.value, "px", &r.ttl}
			cmds[i] = goredis.NewStatusCmd(a.ctx, r.args[:]...)
		}
		if len(cmds) > 0 {
			a.send(cmds)
		}
		for _, cmd := range cmds {
			if err := cmd.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// do runs an operation within the store's time and the caller's, and notes its
// outcome for Ready.
func (s *Store) do(ctx context.Context, run func(*attempt) error) error {
	err := s.try(ctx, run)
	if over(ctx) == nil {
		s.health.note(err)
	}
	return err
}

// try is do without the note.
func (s *Store) try(ctx context.Context, run func(*attempt) error) error {
	if err := s.serving(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	err := run(&attempt{store: s, ctx: bounded})
	if kindOf(err) == kindTimeout {
		if left := over(ctx); left != nil {
			return left // the caller's time was short, which is nobody's fault
		}
	}
	err = failure(err)
	s.counts.tally(err)
	return err
}

// over returns the error of a context that has ended, or is about to: a
// connection has the same deadline and may be a moment ahead.
func over(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && !end.After(time.Now()) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
