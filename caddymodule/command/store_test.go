package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/hookgate/hookgate/caddymodule/app"
	_ "github.com/hookgate/hookgate/caddymodule/handlers"
	"github.com/hookgate/hookgate/integration/servers"
	"github.com/hookgate/hookgate/plugins/postgres"
)

func runStore(args ...string) (string, error) {
	cmd := newStore()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"migrate"}, args...))
	err := cmd.Execute()
	return out.String(), err
}

// caddyfileOf returns the path of a Caddyfile with these global options.
func caddyfileOf(t *testing.T, hookgate string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte("{\n\thookgate {\n"+hookgate+"\n\t}\n}\n\n:8080 {\n\trespond 404\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheTableOfClaimsIsMade(t *testing.T) {
	t.Setenv(postgresVariable, "")
	p, err := servers.NewPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	for _, sql := range []string{"create database one", "create database two", "create database three", "create role edge login"} {
		if err := p.Exec("postgres", sql); err != nil {
			t.Fatal(err)
		}
	}
	dsn := func(name string) string { return p.DSN("postgres", name) }

	out, err := runStore("--dsn", dsn("one"), "--dry-run", "--grant", "edge")
	if err != nil || !strings.Contains(out, "create table if not exists hookgate.claims") || !strings.Contains(out, `to "edge"`) {
		t.Fatal(out, err)
	}
	if err := p.Exec("one", "select from hookgate.claims"); err == nil {
		t.Error("a dry run has made it")
	}
	if out, err = runStore("--dsn", dsn("one"), "--grant", "edge"); err != nil || !strings.Contains(out, "--dsn: made step 1, claims") {
		t.Fatal(out, err)
	}
	if out, err = runStore("--dsn", dsn("one")); err != nil || out != "--dsn: up to date\n" {
		t.Fatal(out, err)
	}
	if err := p.Exec("one", "set role edge; select from hookgate.claims"); err != nil {
		t.Error(err)
	}

	t.Setenv(postgresVariable, dsn("two"))
	if out, err = runStore("--json"); err != nil {
		t.Fatal(out, err)
	}
	var all []migrated
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 || all[0].Database != postgresVariable || len(all[0].Steps) != len(postgres.Migrations()) || all[0].SQL != "" {
		t.Error(out, err)
	}

	// Those of a config, each once.
	t.Setenv("MIGRATE_TEST_DSN", dsn("three"))
	config := caddyfileOf(t, "store redis redis://127.0.0.1:1 {\nfallback postgres {env.MIGRATE_TEST_DSN}\n}\n"+
		"consumer {\nlog\ninbox postgres "+dsn("one")+"\n}")
	if out, err = runStore("--config", config); err != nil || out != "store's fallback: made step 1, claims\ninbox: up to date\n" {
		t.Error(out, err)
	}
	if out, err = runStore("--config", caddyfileOf(t, "store postgres "+dsn("three")+"\nconsumer {\nlog\ninbox postgres "+dsn("three")+"\n}")); err != nil || out != "store: up to date\n" {
		t.Error(out, err)
	}

	// One of two that cannot be reached does not hide what was made in the other.
	if err := p.Exec("postgres", "create database four"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MIGRATE_TEST_DSN", dsn("four"))
	config = caddyfileOf(t, "store redis redis://127.0.0.1:1 {\nfallback postgres {env.MIGRATE_TEST_DSN}\n}\n"+
		"consumer {\nlog\ninbox postgres postgres://u@127.0.0.1:1/none\n}")
	for _, c := range []struct {
		want string
		part bool
	}{{"store's fallback: made step 1, claims\n", true}, {"store's fallback: up to date\n", false}} {
		out, err = runStore("--config", config)
		exit, part := errors.AsType[*ExitError](err)
		if err == nil || !strings.Contains(err.Error(), "inbox: ") || !strings.HasPrefix(out, c.want) || part != c.part || part && exit.Code != exitPartial {
			t.Errorf("%q, %v, want %q", out, err, c.want)
		}
	}
	if out, err = runStore("--dsn", p.DSN("edge", "two")); err == nil || !strings.Contains(err.Error(), "up to date") && !strings.Contains(err.Error(), "42501") {
		t.Error(out, err)
	}
}

func TestADryRunNeedsNoServer(t *testing.T) {
	t.Setenv(postgresVariable, "")
	t.Chdir(t.TempDir())
	out, err := runStore("--dry-run")
	if err != nil || !strings.HasPrefix(out, "-- an empty database\nbegin;") || !strings.HasSuffix(out, "commit;\n") {
		t.Error(out, err)
	}
}

func TestADryRunNeedsNoDatabaseInTheCaddyfileOfTheFolder(t *testing.T) {
	t.Setenv(postgresVariable, "")
	t.Chdir(filepath.Dir(caddyfileOf(t, "store embedded")))
	if out, err := runStore("--dry-run"); err != nil || !strings.Contains(out, "-- an empty database\n") || !strings.Contains(out, "hookgate.claims") {
		t.Error(out, err)
	}
	// Whoever names a file means that one.
	for _, args := range [][]string{{}, {"--config", "Caddyfile", "--dry-run"}} {
		if out, err := runStore(args...); err == nil || !strings.Contains(err.Error(), "no store in PostgreSQL") {
			t.Error(args, out, err)
		}
	}
}

func TestAMigrationNeedsToKnowItsDatabase(t *testing.T) {
	t.Setenv(postgresVariable, "")
	t.Chdir(t.TempDir())
	none := caddyfileOf(t, "store embedded")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"none":                      {nil, postgresVariable},
		"two":                       {[]string{"--dsn", "postgres://db/app", "--config", none}, "use one"},
		"a placeholder for nothing": {[]string{"--dsn", "{env.MIGRATE_TEST_UNSET}"}, "stands for nothing"},
		"no such config":            {[]string{"--config", "/does/not/exist"}, "/does/not/exist"},
		"a config without one":      {[]string{"--config", none}, "no store in PostgreSQL"},
		"one that is not set":       {[]string{"--config", caddyfileOf(t, "store postgres {env.MIGRATE_TEST_UNSET}")}, "store: a placeholder"},
		"an argument":               {[]string{"hunter2"}, ""},
	} {
		out, err := runStore(c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v %s", name, err, out)
			continue
		}
		if exit, ok := errors.AsType[*ExitError](err); name != "an argument" && (!ok || exit.Code != exitUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	out, err := runStore("--dsn", "postgres://u:hunter2@127.0.0.1:1/app?connect_timeout=1")
	if err == nil || strings.Contains(out+err.Error(), "hunter2") || !strings.Contains(err.Error(), "cannot be reached") {
		t.Error(out, err)
	}
}
