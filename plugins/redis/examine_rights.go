package redis

import (
	"context"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/hook"
)

// absent is the end of keys that nothing is ever under: the names of hooks begin
// otherwise.
const absent = ".doctor"

// command is one that a Store uses, with arguments that change nothing where the
// key is not there.
type command struct {
	name string
	args func(key string) []any
}

// commands are all that a Store uses on a key. SET with XX writes over a key, and
// makes none.
var commands = []command{
	{"set", func(key string) []any { return []any{"set", key, "doctor", "xx", "px", 1000} }},
	{"get", func(key string) []any { return []any{"get", key} }},
	{"del", func(key string) []any { return []any{"del", key} }},
	{"pexpire", func(key string) []any { return []any{"pexpire", key, 1000} }},
	{"eval", func(key string) []any { return []any{"eval", releaseScript.text, 1, key, heldBy(hook.Token{})} }},
	{"evalsha", func(key string) []any { return []any{"evalsha", renewScript.sha, 1, key, heldBy(hook.Token{}), 1000} }},
}

// rights notes what the user may not do that a Store does.
func (x *examiner) rights(ctx context.Context, n *doctor.Notes, c goredis.UniversalClient) {
	var refused []string
	for _, kind := range x.kinds {
		for _, cmd := range commands {
			err := c.Do(ctx, cmd.args(x.opts.Prefix+kind+absent)...).Err()
			switch {
			case kindOf(err) == kindNone, goredis.HasErrorPrefix(err, "NOSCRIPT"),
				goredis.HasErrorPrefix(err, "MOVED "): // another master has the key
			case goredis.HasErrorPrefix(err, "NOPERM"):
				refused = append(refused, cmd.name+" on "+x.opts.Prefix+kind+"*")
			default:
				n.Fail("redis.rights", fmt.Sprintf("%s: %s", cmd.name, failure(err)), "mend what it says: claims fail with the same")
				return
			}
		}
	}
	if refused != nil {
		n.Fail("redis.rights", "the user may not "+strings.Join(refused, ", "),
			"give it the rights of deploy/redis/users.acl, with the prefix before its keys")
		return
	}
	n.OK("redis.rights", "the user may do all that a claim needs")
}
