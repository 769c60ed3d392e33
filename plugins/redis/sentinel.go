package redis

import (
	"context"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// noSentinel is how go-redis' error begins where no sentinel has named a master.
// It goes on with what each of them answered.
const noSentinel = "redis: all sentinels "

// masterName is how go-redis calls each connection to the server that the
// sentinels name. One to a sentinel has its address in this place.
const masterName = "Redis<FailoverClient "

// toSentinels returns what is done with each new connection in the mode
// sentinel: one to a sentinel identifies itself. go-redis itself knows only
// credentials of sentinels that never change.
func toSentinels(ask func(context.Context) (Credentials, error)) func(context.Context, *goredis.Conn) error {
	return func(ctx context.Context, c *goredis.Conn) error {
		if strings.HasPrefix(c.String(), masterName) {
			return nil
		}
		creds, err := ask(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("sentinel: %w", &credentialsError{err}) // go-redis takes off what is outermost
		case creds.Password == "":
			return nil
		case creds.Username == "":
			return c.Auth(ctx, creds.Password).Err()
		default:
			return c.AuthACL(ctx, creds.Username, creds.Password).Err()
		}
	}
}
