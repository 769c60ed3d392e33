package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

func init() {
	goredis.SetLogger(silent{}) // see the package's comment
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// client returns a client that does what it is told within the time it is
// given, and nothing by itself. go-redis' defaults ignore the deadline of a
// context, and send a command again after its answer was lost, without anybody
// knowing (https://github.com/redis/go-redis/issues/2124).
func (o Options) client() goredis.UniversalClient {
	u := &goredis.UniversalOptions{
		Addrs:      o.Addrs,
		DB:         o.DB,
		MasterName: o.Master,
		TLSConfig:  o.TLS,
		Protocol:   2, // 3 only adds pushed messages, which must be looked for before each command

		ContextTimeoutEnabled: true,
		DialTimeout:           o.Timeout,
		ReadTimeout:           o.Timeout,
		WriteTimeout:          o.Timeout,
		PoolTimeout:           o.Timeout / 2,

		MaxRetries:      -1,
		DialerRetries:   1,
		MinRetryBackoff: -1, // before following a redirection
		MaxRedirects:    2,

		PoolSize:              o.PoolSize,
		MinIdleConns:          flushers,
		PipelinePoolSize:      -1, // nearly everything is a pipeline: one pool
		ConnMaxIdleTime:       5 * time.Minute,
		ConnMaxLifetime:       30 * time.Minute,
		ConnMaxLifetimeJitter: 3 * time.Minute,

		// Both are commands more on each new connection.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if ask := o.Credentials; ask != nil {
		u.CredentialsProviderContext = func(ctx context.Context) (string, string, error) {
			c, err := ask(ctx)
			if err != nil {
				return "", "", &credentialsError{err}
			}
			return c.Username, c.Password, nil
		}
	}
	switch o.Mode {
	case ModeCluster:
		c := u.Cluster()
		c.DisableRoutingPolicies = true // they cost a COMMAND, which the user may not be allowed
		return goredis.NewClusterClient(c)
	case ModeSentinel:
		if ask := o.SentinelCredentials; ask != nil {
			u.OnConnect = toSentinels(ask)
		}
		return goredis.NewFailoverClient(u.Failover())
	default:
		return goredis.NewClient(u.Simple())
	}
}
