package integration

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookgate/hookgate/integration/servers"
)

func TestTheEdgeWritesEventsIntoPostgres(t *testing.T) {
	db, err := servers.NewPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	schema, err := os.ReadFile("../deploy/postgres/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("postgres", string(schema)+"alter table hookgate.events add constraint wanted check (event_id <> 'unwanted')"); err != nil {
		t.Fatal(err)
	}
	dsn := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(dsn, []byte(db.DSN("hookgate_consumer", "postgres")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, `{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
		consumer {
			postgres {file.`+dsn+`} hookgate.events
			retry 1s 2s 3s
		}
	}
}

http://:$PORT {
	bind 127.0.0.1
	`+patientHook()+`
	respond 404
}
`)
	count := func() (n int) {
		conn, err := pgx.Connect(context.Background(), db.DSN("postgres", "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if err := conn.QueryRow(context.Background(), "select count(*) from hookgate.events").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var q struct{ Ready, Dead int }
	for _, id := range []string{"good", "unwanted"} {
		if a := s.post(payload(id)); a.status != 202 {
			t.Fatalf("%s: %d %s", id, a.status, a.raw)
		}
	}
	eventually(t, 30*time.Second, "one is written, and one a dead letter", func() bool {
		s.AdminGet("/hookgate/queue", &q)
		return q.Ready == 0 && q.Dead == 1 && count() == 1
	})
	// An event that is taken while the database is away is written later.
	db.Kill()
	if a := s.post(payload("late")); a.status != 202 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if err := db.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the late one is written", func() bool { return count() == 2 })
}
