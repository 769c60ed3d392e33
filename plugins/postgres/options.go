package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
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

// CheckTable returns an error for what cannot be a table that events go to.
func CheckTable(table string) error {
	schema, name, _ := strings.Cut(table, ".")
	switch {
	case table == "":
		return errors.New("postgres: a table is required")
	case !identifier.MatchString(schema) || !identifier.MatchString(name):
		return fmt.Errorf("postgres: %q is no table: write schema.table, of letters, digits and underscores", table)
	case name == inboxName:
		return errors.New("postgres: the inbox cannot be the table that events go to")
	}
	return nil
}

// withDefaults checks the options and fills in what was left out. It returns
// the names of table and inbox as SQL.
func (o Options) withDefaults() (_ Options, table, inbox string, err error) {
	if o.DSN == nil {
		return o, "", "", errors.New("postgres: a DSN is required")
	}
	if err := CheckTable(o.Table); err != nil {
		return o, "", "", err
	}
	if o.Timeout < 0 || o.Connections < 0 {
		return o, "", "", errors.New("postgres: a bound is negative")
	}
	schema, name, _ := strings.Cut(o.Table, ".")
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

// connector says how the handler connects.
func (o Options) connector() connector {
	return connector{
		dsn: o.DSN, connect: connectTimeout, statement: o.Timeout, lock: min(o.Timeout/2, lockTimeout),
		most: o.Connections + 1, durable: true,
	}
}
