package postgres

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/integration/servers"
)

// dsnOf returns a DSN that does not change.
func dsnOf(dsn string) func() (string, error) { return func() (string, error) { return dsn, nil } }

// worst returns the worst status of a check, and what was seen.
func worst(all []doctor.Finding, check string) (doctor.Status, string) {
	rank := map[doctor.Status]int{"": 0, doctor.OK: 1, doctor.Skipped: 2, doctor.Warn: 3, doctor.Fail: 4}
	var at doctor.Finding
	for _, f := range all {
		if f.Check == check && rank[f.Status] > rank[at.Status] {
			at = f
		}
	}
	return at.Status, at.Seen
}

func asStore(d *database, user string) []doctor.Finding {
	return ExamineStore(context.Background(), StoreOptions{DSN: dsnOf(d.DSN(user, d.name))}, 10*time.Second)
}

func asHandler(d *database, user string) []doctor.Finding {
	return ExamineHandler(context.Background(), Options{DSN: dsnOf(d.DSN(user, d.name)), Table: table}, 10*time.Second)
}

func TestTheSchemaThatIsShippedIsFoundRight(t *testing.T) {
	d := newDatabase(t)
	for name, all := range map[string][]doctor.Finding{
		"the edge":                  asStore(d, "hookgate_edge"),
		"the inbox":                 asStore(d, role),
		"the handler":               asHandler(d, role),
		"who may do everything too": asStore(d, "postgres"),
	} {
		checks := map[string]bool{}
		for _, f := range all {
			checks[f.Check] = true
			switch {
			case f.Check == "postgres.role" && name == "who may do everything too":
				if f.Status != doctor.Warn {
					t.Errorf("%s: a superuser is %s", name, f.Status)
				}
			case f.Check == "postgres.migrations" && f.Status == doctor.Skipped && f.Excused:
			case f.Status != doctor.OK:
				t.Errorf("%s: %+v", name, f)
			}
		}
		if len(checks) < 9 {
			t.Errorf("%s: %d checks", name, len(checks))
		}
	}
	if got, seen := worst(asStore(d, "postgres"), "postgres.migrations"); got != doctor.OK {
		t.Errorf("migrations: %s %s", got, seen)
	}
}

func TestWhatIsWrongWithADatabaseIsFound(t *testing.T) {
	d := newDatabase(t)
	const edge = "hookgate_edge"
	for _, tc := range []struct {
		name, check string
		sql, back   string
		look        func() []doctor.Finding
		want        doctor.Status
		seen        string
	}{
		{
			"a right is missing", "postgres.rights", "revoke update on hookgate.claims from hookgate_edge", "grant update on hookgate.claims to hookgate_edge",
			func() []doctor.Finding { return asStore(d, edge) }, doctor.Fail, "update",
		},
		{
			"the schema is closed", "postgres.rights", "revoke usage on schema hookgate from hookgate_edge", "grant usage on schema hookgate to hookgate_edge",
			func() []doctor.Finding { return asStore(d, edge) }, doctor.Fail, "use its schema",
		},
		{
			"the inbox is closed", "postgres.rights", "revoke delete on hookgate.hookgate_inbox from " + role, "grant delete on hookgate.hookgate_inbox to " + role,
			func() []doctor.Finding { return asHandler(d, role) }, doctor.Fail, "hookgate.hookgate_inbox: delete",
		},
		{
			"a column is missing", "postgres.schema", "alter table hookgate.events rename replay to replays", "alter table hookgate.events rename replays to replay",
			func() []doctor.Finding { return asHandler(d, role) }, doctor.Fail, "hookgate.events has no replay",
		},
		{
			"a table is missing", "postgres.schema", "alter table hookgate.claims rename to other", "alter table hookgate.other rename to claims",
			func() []doctor.Finding { return asStore(d, edge) }, doctor.Fail, "hookgate.claims is not there",
		},
		{
			"a step was not made", "postgres.migrations", "delete from hookgate.schema_version", "insert into hookgate.schema_version values (1)",
			func() []doctor.Finding { return asStore(d, "postgres") }, doctor.Fail, "were not made",
		},
		{
			"no step was made", "postgres.migrations", "alter table hookgate.schema_version rename to other", "alter table hookgate.other rename to schema_version",
			func() []doctor.Finding { return asStore(d, "postgres") }, doctor.Fail, "no step",
		},
		{
			"too few connections", "postgres.connections", "alter role hookgate_edge connection limit 3", "alter role hookgate_edge connection limit -1",
			func() []doctor.Finding { return asStore(d, edge) }, doctor.Warn, "3 connections",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d.do(tc.sql)
			all := tc.look()
			d.do(tc.back)
			got, seen := worst(all, tc.check)
			if got != tc.want || !strings.Contains(seen, tc.seen) {
				t.Errorf("%s: %s %s, want %s and %q", tc.check, got, seen, tc.want, tc.seen)
			}
			for _, f := range all {
				if f.Status == doctor.Fail && f.Advice == "" {
					t.Errorf("%+v", f)
				}
			}
			if got, seen := worst(tc.look(), tc.check); got == doctor.Fail || got == doctor.Warn && tc.want == doctor.Warn {
				t.Errorf("%s afterwards: %s %s", tc.check, got, seen)
			}
		})
	}
}

func TestADatabaseThatIsNotThereIsFound(t *testing.T) {
	d := newDatabase(t)
	for name, dsn := range map[string]string{
		"nobody listens":      "postgres://u:hunter2@127.0.0.1:" + servers.FreePort(t) + "/x?sslmode=disable",
		"another database":    d.DSN(role, "none"),
		"another user":        d.DSN("nobody_here", d.name),
		"a DSN that is none":  "postgres://u:hunter2@:x/",
		"a DSN that is empty": "",
	} {
		all := ExamineStore(t.Context(), StoreOptions{DSN: dsnOf(dsn)}, 10*time.Second)
		if got, seen := worst(all, "postgres.reach"); got != doctor.Fail || len(all) != 1 || strings.Contains(seen, "hunter2") {
			t.Errorf("%s: %s %s, %d findings", name, got, seen, len(all))
		}
	}
}

// What a server of the tests cannot be brought to be.
func TestWhatAServerSaysIsGraded(t *testing.T) {
	now := time.Now()
	good := serverFacts{version: "15", number: 150000, fsync: "on", fullPages: "on", most: 97, inUse: 1, role: -1, now: now, before: now, after: now}
	x := &examiner{connector: connector{most: 16}}
	for _, tc := range []struct {
		check  string
		change func(*serverFacts)
		want   doctor.Status
	}{
		{"postgres.version", func(*serverFacts) {}, doctor.OK},
		{"postgres.version", func(f *serverFacts) { f.number = 110021 }, doctor.Fail},
		{"postgres.primary", func(*serverFacts) {}, doctor.OK},
		{"postgres.primary", func(f *serverFacts) { f.standby = true }, doctor.Fail},
		{"postgres.durable", func(*serverFacts) {}, doctor.OK},
		{"postgres.durable", func(f *serverFacts) { f.fsync = "off" }, doctor.Fail},
		{"postgres.durable", func(f *serverFacts) { f.fullPages = "off" }, doctor.Fail},
		{"postgres.connections", func(f *serverFacts) { f.inUse = 82 }, doctor.OK},
		{"postgres.connections", func(f *serverFacts) { f.inUse = 83 }, doctor.Warn},
		{"postgres.clock", func(*serverFacts) {}, doctor.OK},
		{"postgres.clock", func(f *serverFacts) { f.now = now.Add(-2 * time.Second) }, doctor.Warn},
	} {
		f, n := good, &doctor.Notes{}
		tc.change(&f)
		f.note(n, x)
		if got, seen := worst(n.List, tc.check); got != tc.want {
			t.Errorf("%s: %s %s, want %s", tc.check, got, seen, tc.want)
		}
	}
}

func TestTLSIsToldFromWhatIsTakenForIt(t *testing.T) {
	for _, variable := range []string{"PGSSLMODE", "PGHOST", "PGSSLROOTCERT"} {
		t.Setenv(variable, "")
		_ = os.Unsetenv(variable)
	}
	for dsn, want := range map[string]doctor.Status{
		"postgres://u@db/app?sslmode=verify-full":    doctor.OK,
		"postgres://u@db/app?sslmode=require":        doctor.Warn,
		"postgres://u@db/app?sslmode=prefer":         doctor.Warn,
		"postgres://u@db/app":                        doctor.Warn,
		"postgres://u@db/app?sslmode=disable":        doctor.Warn,
		"postgres://u@127.0.0.1/app?sslmode=disable": doctor.OK,
		"host=/run/postgresql user=u":                doctor.OK,
	} {
		if got, seen := worst(ExamineOffline(dsnOf(dsn)), "postgres.tls"); got != want {
			t.Errorf("%s: %s %s, want %s", dsn, got, seen, want)
		}
	}
}
