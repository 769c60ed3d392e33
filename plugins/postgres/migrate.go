package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Migration is a step of the schema. It may be run again.
type Migration struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	SQL     string `json:"-"`
}

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations returns the steps in their order. The versions are 1, 2, 3 ...
func Migrations() []Migration {
	entries, err := fs.ReadDir(migrationFiles, "migrations") // sorted
	if err != nil {
		panic(err) // they are part of the program
	}
	all := make([]Migration, len(entries))
	for i, e := range entries {
		text, err := migrationFiles.ReadFile("migrations/" + e.Name())
		if err != nil {
			panic(err)
		}
		number, name, _ := strings.Cut(strings.TrimSuffix(e.Name(), ".sql"), "_")
		version, _ := strconv.Atoi(number)
		all[i] = Migration{Version: version, Name: name, SQL: string(text)}
	}
	return all
}

// MigrateOptions say where a Store's schema is to be.
type MigrateOptions struct {
	// DSN is how to connect, as a user who may create schemas and tables.
	// Required.
	DSN string

	// Grant is a role that is given the rights which a Store needs, and no
	// others. It must be there. Default: none.
	Grant string

	// DryRun changes nothing. Default: false.
	DryRun bool
}

const (
	// migrationLock keeps two from migrating at the same time.
	migrationLock = "select pg_advisory_xact_lock(hashtext('hookgate.schema_version'))"

	versionTable = `create schema if not exists hookgate;

-- Which steps of the schema were made.
create table if not exists hookgate.schema_version (
  version    int primary key,
  applied_at timestamptz not null default now()
);
`
	migrateTimeout = time.Minute // for a statement
	migrateWait    = 10 * time.Second
)

// Migrate makes the steps that are missing, all of them or none. It returns
// them, and with DryRun those that it would make.
func Migrate(ctx context.Context, o MigrateOptions) ([]Migration, error) {
	c := connector{
		dsn:     func() (string, error) { return o.DSN, nil },
		connect: 10 * time.Second, statement: migrateTimeout, lock: migrateWait, most: 1,
	}
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", failure(ctx, err))
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	made, err := migrate(ctx, conn, o)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", migrationError(ctx, err))
	}
	return made, nil
}

func migrate(ctx context.Context, conn *pgx.Conn, o MigrateOptions) ([]Migration, error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(ctx) }() // does nothing after a commit
	if _, err := tx.Exec(ctx, migrationLock); err != nil {
		return nil, err
	}
	missing, err := missing(ctx, tx)
	if err != nil || o.DryRun {
		return missing, err
	}
	for _, sql := range statements(missing, o.Grant) {
		if _, err := tx.Conn().PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return nil, err
		}
	}
	return missing, tx.Commit(ctx)
}

// missing returns the steps that were not made yet.
func missing(ctx context.Context, tx pgx.Tx) (left []Migration, err error) {
	var there bool
	if err := tx.QueryRow(ctx, "select to_regclass('hookgate.schema_version') is not null").Scan(&there); err != nil {
		return nil, err
	}
	version := 0
	if there {
		if err := tx.QueryRow(ctx, "select coalesce(max(version), 0) from hookgate.schema_version").Scan(&version); err != nil {
			return nil, err
		}
	}
	for _, m := range Migrations() {
		if m.Version > version {
			left = append(left, m)
		}
	}
	return left, nil
}

// statements returns what is sent for some steps. Without one there is only the
// grant.
func statements(steps []Migration, grant string) (all []string) {
	if len(steps) > 0 {
		all = append(all, versionTable)
	}
	for _, m := range steps {
		all = append(all, m.SQL+fmt.Sprintf("insert into hookgate.schema_version (version) values (%d) on conflict do nothing;\n", m.Version))
	}
	if grant != "" {
		role := pgx.Identifier{grant}.Sanitize()
		all = append(all, "grant usage on schema hookgate to "+role+";\n"+
			"grant select, insert, update, delete on "+claimsTable+" to "+role+";\n")
	}
	return all
}

// Script returns some steps as one text for psql.
func Script(steps []Migration, grant string) string {
	all := statements(steps, grant)
	if len(all) == 0 {
		return ""
	}
	return "begin;\n\n" + strings.Join(all, "\n") + "\ncommit;\n"
}

// migrationError is failure with the server's own words: here it was sent no
// event that they could quote.
func migrationError(ctx context.Context, err error) error {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return failure(ctx, err)
	}
	text := fmt.Sprintf("SQLSTATE %s, %s", answer.Code, answer.Message)
	switch answer.Code {
	case "42501":
		text += ": use a user who may create schemas and tables, such as the owner of the database"
	case "42704":
		text += ": create the role first, or run deploy/postgres/schema.sql"
	case readOnly:
		text += ": connect to the primary"
	}
	return fmt.Errorf("%w: %s", ErrRefused, text)
}
