package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/plugins/postgres"
)

// postgresVariable names a database, with a password that the list of processes
// does not show.
const postgresVariable = "HOOKGATE_POSTGRES"

// migrateFlags are those of store migrate.
type migrateFlags struct {
	dsn, config, adapter string
	grant                string
	dryRun, json         bool
	timeout              time.Duration
}

func newStore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Makes what the store needs in PostgreSQL",
		Long: `
Looks after the database where a store keeps its claims. The edge makes no table
by itself: its user should not have the right to.`,
	}
	cmd.AddCommand(newMigrate())
	return cmd
}

func newMigrate() *cobra.Command {
	f := new(migrateFlags)
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Makes the table of claims, or brings it up to date",
		Long: `
Makes the schema hookgate and its table of claims in PostgreSQL, or brings them
up to date: in each database all of it or nothing. What is there stays. It may be
run again, by several at once, and while edges are running.

The database is that of --dsn, of --config, of ` + postgresVariable + ` in the environment, or of
the Caddyfile in this folder, the first of these that is there. A config's user
usually may not create tables: name one who may with --dsn, and the config's own
with --grant.

Exit codes: 0 the table is there; 1 nothing was changed; 2 the arguments make no
sense, or no database is named; 3 it was made in one database of a config, and
not in the next.`,
		Example: `  hookgate store migrate --dsn '{file./run/secrets/admin_dsn}' --grant hookgate_edge
  hookgate store migrate --dry-run > claims.sql`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dsn, "dsn", "", "`DSN` of the database, postgres://user@host/database; {env.NAME} and {file./path} stand for what is there")
	flags.StringVarP(&f.config, "config", "c", "", "config `file` that names the database")
	flags.StringVarP(&f.adapter, "adapter", "a", "", "config adapter of that file")
	flags.StringVar(&f.grant, "grant", "", "a `role` that gets the rights of an edge on the table, and no others")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the SQL that is to be run, and change nothing")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "how long it may take")
	return cmd
}

// migrated is what the command prints.
type migrated struct {
	Database string               `json:"database"` // where its DSN was found
	DryRun   bool                 `json:"dry_run"`
	Steps    []postgres.Migration `json:"steps"` // made, or to be made
	SQL      string               `json:"sql,omitempty"`
}

// place is a database, and where its DSN was found.
type place struct{ name, dsn string }

func (f *migrateFlags) run(ctx context.Context, w io.Writer) error {
	places, err := f.places()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	var all []migrated
	made := false
	for _, p := range places {
		steps := postgres.Migrations()
		if p.dsn != "" {
			if steps, err = postgres.Migrate(ctx, postgres.MigrateOptions{DSN: p.dsn, Grant: f.grant, DryRun: f.dryRun}); err != nil {
				return f.broken(w, all, made, fmt.Errorf("%s: %w", p.name, err))
			}
		}
		made = made || len(steps) > 0 && !f.dryRun
		m := migrated{Database: p.name, DryRun: f.dryRun, Steps: steps}
		if f.dryRun {
			m.SQL = postgres.Script(steps, f.grant)
		}
		if m.Steps == nil {
			m.Steps = []postgres.Migration{}
		}
		all = append(all, m)
	}
	return f.print(w, all)
}

// broken ends a run with an error, and prints what there is of the databases
// before: each is one by itself.
func (f *migrateFlags) broken(w io.Writer, all []migrated, made bool, err error) error {
	if len(all) > 0 {
		err = errors.Join(err, f.print(w, all))
	}
	if made {
		return &ExitError{Code: exitPartial, Err: err}
	}
	return err
}

func (f *migrateFlags) print(w io.Writer, all []migrated) error {
	if f.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	for _, m := range all {
		switch {
		case f.dryRun && m.SQL == "":
			fmt.Fprintf(w, "-- %s: up to date\n", m.Database)
		case f.dryRun:
			fmt.Fprintf(w, "-- %s\n%s", m.Database, m.SQL)
		case len(m.Steps) == 0:
			fmt.Fprintf(w, "%s: up to date\n", m.Database)
		default:
			for _, s := range m.Steps {
				fmt.Fprintf(w, "%s: made step %d, %s\n", m.Database, s.Version, s.Name)
			}
		}
	}
	return nil
}

// places returns the databases to be migrated. For a dry run there may be none
// to ask: then it is of an empty one.
func (f *migrateFlags) places() ([]place, error) {
	usage := func(err error) error { return &ExitError{Code: exitUsage, Err: err} }
	if f.dsn != "" && f.config != "" {
		return nil, usage(errors.New("--dsn and --config both name a database: use one of them"))
	}
	named := place{"--dsn", f.dsn}
	if f.dsn == "" && f.config == "" {
		named = place{postgresVariable, os.Getenv(postgresVariable)}
	}
	if named.dsn != "" {
		dsn, err := caddy.NewReplacer().ReplaceOrErr(named.dsn, true, true)
		if err != nil {
			return nil, usage(fmt.Errorf("%s: a placeholder in it stands for nothing", named.name))
		}
		return []place{{named.name, dsn}}, nil
	}
	if _, err := os.Stat("Caddyfile"); f.config == "" && err != nil {
		if f.dryRun {
			return []place{{name: "an empty database"}}, nil
		}
		return nil, usage(fmt.Errorf("give the database: --dsn, --config, or %s in the environment", postgresVariable))
	}
	config, _, _, err := caddycmd.LoadConfig(f.config, f.adapter)
	if err != nil {
		return nil, usage(err)
	}
	places, err := databases(config)
	if err != nil {
		return nil, usage(err)
	}
	if len(places) == 0 && f.dryRun && f.config == "" {
		return []place{{name: "an empty database"}}, nil
	}
	if len(places) == 0 {
		return nil, usage(errors.New("the config has no store in PostgreSQL: name the database with --dsn"))
	}
	return places, nil
}

// databases returns those that a config keeps claims in, each once.
func databases(config []byte) (places []place, err error) {
	type store struct {
		Driver   string          `json:"driver"`
		DSN      string          `json:"dsn"`
		Fallback json.RawMessage `json:"fallback"`
	}
	var c struct {
		Apps struct {
			Hookgate struct {
				Store    json.RawMessage `json:"store"`
				Consumer struct {
					Inbox json.RawMessage `json:"inbox"`
				} `json:"consumer"`
			} `json:"hookgate"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("the config: %w", err)
	}
	seen := make(map[string]bool)
	var look func(name string, raw json.RawMessage) error
	look = func(name string, raw json.RawMessage) error {
		var s store
		if raw == nil {
			return nil
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("the config's %s: %w", name, err)
		}
		if s.Driver == "postgres" && !seen[s.DSN] {
			seen[s.DSN] = true
			dsn, err := caddy.NewReplacer().ReplaceOrErr(s.DSN, true, true)
			if err != nil {
				return fmt.Errorf("the config's %s: a placeholder in its DSN stands for nothing", name)
			}
			places = append(places, place{name, dsn})
		}
		return look(name+"'s fallback", s.Fallback)
	}
	err = errors.Join(look("store", c.Apps.Hookgate.Store), look("inbox", c.Apps.Hookgate.Consumer.Inbox))
	return places, err
}
