package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hookgate/hookgate/doctor"
)

// examine notes whether a table is there, as it is to be, and open to the user.
func (r relation) examine(ctx context.Context, n *doctor.Notes, tx pgx.Tx) error {
	name := r.schema + "." + r.name
	var (
		table, schema uint32
		columns       []string
	)
	// Not by to_regclass, which refuses whoever may not use the schema.
	err := tx.QueryRow(ctx, `select c.oid, n.oid,
  array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'f')`, r.schema, r.name).Scan(&table, &schema, &columns)
	if errors.Is(err, pgx.ErrNoRows) {
		n.Fail("postgres.schema", name+" is not there", "run hookgate store migrate for the claims, and deploy/postgres/schema.sql for the rest")
		return nil
	}
	if err != nil {
		return err
	}
	var missing []string
	for _, column := range r.columns {
		if !slices.Contains(columns, column) {
			missing = append(missing, column)
		}
	}
	if missing != nil {
		n.Fail("postgres.schema", name+" has no "+strings.Join(missing, ", "), "bring it up to date: deploy/postgres/schema.sql has its columns")
	} else {
		n.OK("postgres.schema", name+" is there")
	}
	return r.granted(ctx, n, tx, table, schema)
}

// granted notes what the user may not do with it.
func (r relation) granted(ctx context.Context, n *doctor.Notes, tx pgx.Tx, table, schema uint32) error {
	name := r.schema + "." + r.name
	var refused []string
	var may bool
	if err := tx.QueryRow(ctx, "select has_schema_privilege($1::oid, 'usage')", schema).Scan(&may); err != nil {
		return err
	}
	if !may {
		refused = append(refused, "use its schema")
	}
	for _, right := range r.rights {
		if err := tx.QueryRow(ctx, "select has_table_privilege($1::oid, $2)", table, right).Scan(&may); err != nil {
			return err
		}
		if !may {
			refused = append(refused, right)
		}
	}
	if refused != nil {
		n.Fail("postgres.rights", fmt.Sprintf("the user may not do this with %s: %s", name, strings.Join(refused, ", ")), "grant it, as deploy/postgres/schema.sql does")
		return nil
	}
	n.OK("postgres.rights", fmt.Sprintf("the user may %s on %s", strings.Join(r.rights, ", "), name))
	return nil
}

// migrated notes whether all steps of the schema were made.
func migrated(ctx context.Context, n *doctor.Notes, tx pgx.Tx) error {
	const check = "postgres.migrations"
	var may bool
	err := tx.QueryRow(ctx, `select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'hookgate' and c.relname = 'schema_version'`).Scan(&may)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		n.Fail(check, "no step of the schema was made", "run hookgate store migrate")
		return nil
	case err != nil:
		return err
	case !may:
		n.Excuse(check, "this user may not see which steps were made, as it should be: the columns were looked at")
		return nil
	}
	steps, err := missing(ctx, tx)
	if err != nil {
		return err
	}
	if len(steps) > 0 {
		n.Fail(check, fmt.Sprintf("%d steps of the schema were not made", len(steps)), "run hookgate store migrate")
		return nil
	}
	n.OK(check, "all steps of the schema were made")
	return nil
}
