package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookgate/hookgate/doctor"
)

// serverFacts are what a server says of itself.
type serverFacts struct {
	version           string
	number            int
	standby           bool
	fsync, fullPages  string
	superuser         bool
	most, inUse, role int // connections; of the role -1 for any number
	now               time.Time
	before, after     time.Time
}

// ask asks for them. Every user may know.
func ask(ctx context.Context, tx pgx.Tx) (f serverFacts, err error) {
	f.before = time.Now()
	err = tx.QueryRow(ctx, `select current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery(),
  current_setting('fsync'), current_setting('full_page_writes'),
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
  (select coalesce(sum(numbackends), 0)::int from pg_stat_database),
  (select rolconnlimit from pg_roles where rolname = current_user),
  (select rolsuper from pg_roles where rolname = current_user), clock_timestamp()`).
		Scan(&f.version, &f.number, &f.standby, &f.fsync, &f.fullPages, &f.most, &f.inUse, &f.role, &f.superuser, &f.now)
	f.after = time.Now()
	return f, err
}

// note notes what is to be said of them.
func (f serverFacts) note(n *doctor.Notes, x *examiner) {
	n.Grade("postgres.version", grade(f.number >= 120000, doctor.Fail), "version "+f.version, "upgrade to a version that gets fixes: 12 or newer")
	seen := "it is the primary"
	if f.standby {
		seen = "it is a standby, which takes no changes"
	}
	n.Grade("postgres.primary", grade(!f.standby, doctor.Fail), seen, "name the primary, or add target_session_attrs=read-write and all hosts to the DSN")
	n.Grade("postgres.durable", grade(f.fsync == "on" && f.fullPages == "on", doctor.Fail), fmt.Sprintf("fsync %s, full_page_writes %s", f.fsync, f.fullPages),
		"set both to on: after a power cut the data are lost or damaged")
	seen = "the user is no superuser"
	if f.superuser {
		seen = "the user is a superuser"
	}
	n.Grade("postgres.role", grade(!f.superuser, doctor.Warn), seen, "use a role of deploy/postgres/schema.sql: this one may do everything")
	free := f.most - f.inUse + 1 // of which this look has one
	limited := f.role >= 0 && f.role < x.most
	seen = fmt.Sprintf("%d of %d connections are free, and %d are used at most", free, f.most, x.most)
	if limited {
		seen = fmt.Sprintf("the role may have %d connections, and %d are used at most", f.role, x.most)
	}
	n.Grade("postgres.connections", grade(free >= x.most && !limited, doctor.Warn), seen, "raise max_connections, or the limit of the role: each edge and each consumer has as many")
	n.Clock("postgres.clock", f.now, f.before, f.after)
}

func grade(good bool, otherwise doctor.Status) doctor.Status {
	if good {
		return doctor.OK
	}
	return otherwise
}
