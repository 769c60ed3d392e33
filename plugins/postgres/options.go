package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
)

// Options are the settings of a Handler.
type Options struct {
	// DSN returns how to connect: a URL such as postgres://user@host/database,
	// or words such as "host=db user=hookgate". It is asked for each new
	// connection, so that a changed password is used at once. Required.
	DSN func() (string, error)

	// Table is where events go, as schema.table: letters, digits and
	// underscores, in the case that they have in the database. The inbox is
	// hookgate_inbox in the same schema. Required.
	Table string

	// Timeout bounds an attempt, and each statement. Default: 30s.
	Timeout time.Duration

	// Connections is how many events are written at once. There is one
	// connection more, for the inbox. Default: 8.
	Connections int

	// Logger is told when the inbox cannot be tidied up. Default: none.
	Logger *zap.Logger
}

// Bounds that are nobody's business to set.
const (
	connectTimeout = 2 * time.Second
	lockTimeout    = 5 * time.Second     // to wait for somebody else who writes the same event
	inboxTTL       = 30 * 24 * time.Hour // that a record is kept
	tidyEvery      = time.Hour
	tidyBatch      = 1000 // records that are deleted in one transaction
)

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// withDefaults checks the options and fills in what was left out. It returns
// the names of table and inbox as SQL.
func (o Options) withDefaults() (_ Options, table, inbox string, err error) {
	schema, name, _ := strings.Cut(o.Table, ".")
	switch {
	case o.DSN == nil:
		return o, "", "", errors.New("postgres: a DSN is required")
	case o.Table == "":
		return o, "", "", errors.New("postgres: a table is required")
	case !identifier.MatchString(schema) || !identifier.MatchString(name):
		return o, "", "", fmt.Errorf("postgres: %q is no table: write schema.table, of letters, digits and underscores", o.Table)
	case name == inboxName:
		return o, "", "", errors.New("postgres: the inbox cannot be the table that events go to")
	case o.Timeout < 0 || o.Connections < 0:
		return o, "", "", errors.New("postgres: a bound is negative")
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Connections == 0 {
		o.Connections = 8
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o, pgx.Identifier{schema, name}.Sanitize(), pgx.Identifier{schema, inboxName}.Sanitize(), nil
}

// config reads the DSN as it is now.
func (o Options) config() (*pgxpool.Config, error) {
	dsn, err := o.DSN()
	if err != nil {
		return nil, fmt.Errorf("postgres: the DSN cannot be read: %w", err)
	}
	if strings.TrimSpace(dsn) == "" {
		return nil, errors.New("postgres: the DSN is empty")
	}
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil { // it quotes the DSN
		return nil, errors.New("postgres: the DSN is none, or names a file that cannot be read")
	}
	c.MaxConns, c.MinConns, c.MinIdleConns = int32(min(o.Connections, 10_000)+1), 0, 0
	c.PingTimeout = connectTimeout
	cc := c.ConnConfig
	cc.ConnectTimeout = connectTimeout
	limit := strconv.FormatInt(max(1, o.Timeout.Milliseconds()), 10)
	cc.RuntimeParams["statement_timeout"] = limit
	cc.RuntimeParams["idle_in_transaction_session_timeout"] = limit // of one whose client is gone
	cc.RuntimeParams["lock_timeout"] = strconv.FormatInt(max(1, min(o.Timeout/2, lockTimeout).Milliseconds()), 10)
	if cc.RuntimeParams["application_name"] == "" {
		cc.RuntimeParams["application_name"] = "hookgate"
	}
	return c, nil
}
