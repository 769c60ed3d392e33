package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connector says how connections are made. Everything that is here has the same
// rules: the DSN is asked for each connection, and a server that hangs is given
// up by itself and by us.
type connector struct {
	dsn       func() (string, error)
	connect   time.Duration     // to be connected, for each host of the DSN
	statement time.Duration     // the server ends a statement after it
	lock      time.Duration     // and one that waits for another
	most      int               // connections
	warm      int               // that are open at least
	params    map[string]string // more of the session's settings
	durable   bool              // see durable
	prepared  []string          // statements that no request shall wait for
}

// config reads the DSN as it is now.
func (c connector) config() (*pgxpool.Config, error) {
	dsn, err := c.dsn()
	if err != nil {
		return nil, fmt.Errorf("postgres: the DSN cannot be read: %w", err)
	}
	if strings.TrimSpace(dsn) == "" {
		return nil, errors.New("postgres: the DSN is empty")
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil { // it quotes the DSN
		return nil, errors.New("postgres: the DSN is none, or names a file that cannot be read")
	}
	most := min(c.most, 10_000)
	cfg.MaxConns, cfg.MinConns, cfg.MinIdleConns = int32(most), int32(min(c.warm, most)), 0
	cfg.PingTimeout = c.connect
	if c.warm > 0 {
		cfg.HealthCheckPeriod = warmEvery
	}
	cc := cfg.ConnConfig
	cc.ConnectTimeout = c.connect
	cc.RuntimeParams["statement_timeout"] = milliseconds(c.statement)
	cc.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(c.statement) // of one whose client is gone
	cc.RuntimeParams["lock_timeout"] = milliseconds(c.lock)
	if cc.RuntimeParams["application_name"] == "" {
		cc.RuntimeParams["application_name"] = "hookgate"
	}
	maps.Copy(cc.RuntimeParams, c.params)
	return cfg, nil
}

// warmEvery is how often a pool looks whether it is warm.
const warmEvery = 5 * time.Second

// milliseconds is how PostgreSQL takes a time. 0 would be none.
func milliseconds(d time.Duration) string { return strconv.FormatInt(max(1, d.Milliseconds()), 10) }

// pool returns connections. None is made yet, but where it is to be warm.
func (c connector) pool(ctx context.Context) (*pgxpool.Pool, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	cfg.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error {
		now, err := c.config()
		if err == nil {
			cc.Config = now.ConnConfig.Config
		}
		return err
	}
	cfg.AfterConnect = c.greet
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, errors.New("postgres: no connections can be made")
	}
	return pool, nil
}

// greet prepares a new connection.
func (c connector) greet(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, c.connect)
	defer cancel()
	if c.durable {
		if err := durable(ctx, conn); err != nil {
			return err
		}
	}
	for _, sql := range c.prepared {
		if _, err := conn.Prepare(ctx, sql, sql); err != nil {
			return err
		}
	}
	return nil
}

// durable sees to it that a commit that was answered outlives a crash, whatever
// the database, the user or the DSN has set.
func durable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.PgConn().Exec(ctx, "select set_config('synchronous_commit', 'on', false)"+
		" where current_setting('synchronous_commit') = 'off'").ReadAll()
	return err
}
