package postgres

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/conform"
)

// empty is a database without a schema.
func empty(t *testing.T) *database {
	d := newDatabase(t)
	d.do("drop schema hookgate cascade")
	return d
}

func (d *database) migrate(change ...func(*MigrateOptions)) ([]Migration, error) {
	o := MigrateOptions{DSN: d.DSN("postgres", d.name)}
	for _, c := range change {
		c(&o)
	}
	return Migrate(d.t.Context(), o)
}

func TestAnEmptyDatabaseIsMigrated(t *testing.T) {
	d := empty(t)
	dry, err := d.migrate(func(o *MigrateOptions) { o.DryRun = true })
	if err != nil || len(dry) != len(Migrations()) {
		t.Fatal(dry, err)
	}
	if n := d.number("select count(*) from pg_namespace where nspname = 'hookgate'"); n != 0 {
		t.Error("a dry run has made something")
	}
	grant := func(o *MigrateOptions) { o.Grant = edgeRole }
	made, err := d.migrate(grant)
	if err != nil || len(made) != len(Migrations()) {
		t.Fatal(made, err)
	}
	if made, err = d.migrate(grant); err != nil || len(made) != 0 {
		t.Fatal(made, err)
	}
	if n := d.number("select max(version) from hookgate.schema_version"); n != len(Migrations()) {
		t.Errorf("version %d", n)
	}
	s := d.store()
	claims(t, s, conform.Claim("k", 1, 1), hook.Ours, 1)
}

func TestWhatADryRunPrintsMakesTheSame(t *testing.T) {
	d := empty(t)
	dry, err := d.migrate(func(o *MigrateOptions) { o.DryRun = true })
	if err != nil {
		t.Fatal(err)
	}
	d.do(Script(dry, edgeRole))
	d.do(Script(dry, edgeRole)) // it may be run again
	claims(t, d.store(), conform.Claim("k", 1, 1), hook.Ours, 1)
	if made, err := d.migrate(); err != nil || len(made) != 0 {
		t.Error(made, err)
	}
	if Script(nil, "") != "" {
		t.Error("nothing is something")
	}
}

func TestManyMigrateAtOnce(t *testing.T) {
	d := empty(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := d.migrate(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := d.number("select count(*) from hookgate.schema_version"); n != len(Migrations()) {
		t.Errorf("%d versions", n)
	}
}

func TestTheShippedSchemaIsThatOfTheMigrations(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/postgres/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range Migrations() {
		if m.Version != i+1 {
			t.Errorf("%s has the version %d", m.Name, m.Version)
		}
	}
	if made, err := newDatabase(t).migrate(); err != nil || len(made) != 0 {
		t.Error("the shipped schema has another version:", made, err)
	}
	const columns = `select count(*) from information_schema.columns where table_schema = 'hookgate' and table_name = 'claims'`
	d := empty(t)
	if _, err := d.migrate(); err != nil {
		t.Fatal(err)
	}
	if got, want := d.number(columns), newDatabase(t).number(columns); got != want || got == 0 {
		t.Errorf("%d columns, and %d in the shipped schema", got, want)
	}
	for line := range strings.Lines(Migrations()[0].SQL) {
		if !strings.Contains(string(raw), line) {
			t.Errorf("the shipped schema has no %q", line)
		}
	}
}

func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	d := empty(t)
	for name, c := range map[string]struct {
		change func(*MigrateOptions)
		words  string
	}{
		"no such role":     {func(o *MigrateOptions) { o.Grant = "nobody" }, "create the role first"},
		"no rights":        {func(o *MigrateOptions) { o.DSN = d.DSN(edgeRole, d.name) }, "who may create schemas"},
		"no such database": {func(o *MigrateOptions) { o.DSN = d.DSN("postgres", "nothing") }, "no such database"},
		"a quote":          {func(o *MigrateOptions) { o.Grant = `x"; drop schema hookgate; --` }, "create the role first"},
	} {
		_, err := d.migrate(c.change)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, dsn := range map[string]string{"no DSN": "", "a bad DSN": "postgres://jane:hunter2@db:x/"} {
		if _, err := Migrate(t.Context(), MigrateOptions{DSN: dsn}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := d.number("select count(*) from pg_namespace where nspname = 'hookgate'"); n != 0 {
		t.Error("something is left")
	}
}
