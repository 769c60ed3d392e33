package postgres

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookgate/hookgate/doctor"
)

// relation is a table, and what is done with it.
type relation struct {
	schema, name string
	columns      []string
	rights       []string
}

// claimsRelation is that of a Store.
var claimsRelation = relation{
	schema: "hookgate", name: "claims",
	columns: []string{"key", "token", "fingerprint", "expires_at", "committed_at"},
	rights:  []string{"select", "insert", "update", "delete"},
}

// relations are those of a Handler.
func (o Options) relations() []relation {
	schema, name, _ := strings.Cut(o.Table, ".")
	return []relation{
		{schema, name, []string{"event_id", "hook", "received_at", "body", "fingerprint", "replay", "attempt"}, []string{"insert"}},
		{schema, inboxName, []string{"key", "fingerprint", "processed_at"}, []string{"select", "insert", "delete"}},
	}
}

// ExamineStore looks at the server as a Store would use it, and changes nothing.
// timeout bounds each question.
func ExamineStore(ctx context.Context, opts StoreOptions, timeout time.Duration) []doctor.Finding {
	opts, err := opts.withDefaults()
	if err != nil {
		return unfit(err)
	}
	x := &examiner{connector: opts.connector(), relations: []relation{claimsRelation}, store: true}
	return x.examine(ctx, timeout)
}

// ExamineHandler looks at the server as a Handler would use it, and changes
// nothing. timeout bounds each question.
func ExamineHandler(ctx context.Context, opts Options, timeout time.Duration) []doctor.Finding {
	opts, _, _, err := opts.withDefaults()
	if err != nil {
		return unfit(err)
	}
	x := &examiner{connector: opts.connector(), relations: opts.relations()}
	return x.examine(ctx, timeout)
}

func unfit(err error) []doctor.Finding {
	n := doctor.Notes{}
	n.Fail("postgres.reach", err.Error(), "correct the DSN, and the name of the table")
	return n.List
}

// ExamineOffline says what shows of a DSN without asking the server.
func ExamineOffline(dsn func() (string, error)) []doctor.Finding {
	cfg, err := connector{dsn: dsn, most: 1}.config()
	if err != nil {
		return unfit(err)
	}
	n := &doctor.Notes{About: address(cfg.ConnConfig)}
	tlsOf(n, cfg.ConnConfig)
	return n.List
}

// address is where a server is.
func address(cc *pgx.ConnConfig) string {
	if strings.HasPrefix(cc.Host, "/") {
		return cc.Host
	}
	return net.JoinHostPort(cc.Host, strconv.Itoa(int(cc.Port)))
}

// tlsOf notes whether somebody between could read and change what is said. With
// sslmode prefer, which is the default, a server that refuses TLS is spoken to
// without.
func tlsOf(n *doctor.Notes, cc *pgx.ConnConfig) {
	const check = "postgres.tls"
	plain, unverified := cc.TLSConfig == nil, false
	if c := cc.TLSConfig; c != nil {
		unverified = c.InsecureSkipVerify && c.VerifyPeerCertificate == nil
	}
	for _, f := range cc.Fallbacks {
		plain = plain || f.TLSConfig == nil
	}
	switch {
	case strings.HasPrefix(cc.Host, "/"):
		n.OK(check, "a socket of this machine")
	case doctor.IsLoopback(n.About):
		n.OK(check, "on this machine")
	case plain:
		n.Warn(check, "TLS is not needed: the password may go over the network in clear", "add sslmode=verify-full to the DSN, unless nobody else is in that network")
	case unverified:
		n.Warn(check, "the certificate of the server is not verified", "add sslmode=verify-full to the DSN: anybody between could be the server")
	default:
		n.OK(check, "TLS, verified")
	}
}

// examiner looks at one server.
type examiner struct {
	connector
	relations []relation
	store     bool // of claims, which is migrated
}

func (x *examiner) examine(ctx context.Context, timeout time.Duration) []doctor.Finding {
	x.connect, x.statement, x.lock = timeout, timeout, timeout
	cfg, err := x.config()
	if err != nil {
		return unfit(err)
	}
	n := &doctor.Notes{About: address(cfg.ConnConfig)}
	bounded, cancel := context.WithTimeout(ctx, 2*timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(bounded, cfg.ConnConfig)
	if err != nil {
		n.Fail("postgres.reach", failure(bounded, err).Error(), "start it, or correct the DSN: its host, its database, its user and its password")
		return n.List
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// What is looked at is that of one moment, and nothing can be written.
	tx, err := conn.BeginTx(bounded, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err == nil {
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
		err = x.look(bounded, n, tx)
	}
	if err != nil {
		n.Fail("postgres.reach", failure(bounded, err).Error(), "look into the server's log")
	}
	return n.List
}

// look asks everything. An error ends it.
func (x *examiner) look(ctx context.Context, n *doctor.Notes, tx pgx.Tx) error {
	f, err := ask(ctx, tx)
	if err != nil {
		return err
	}
	n.OK("postgres.reach", "it answers")
	f.note(n, x)
	for _, r := range x.relations {
		if err := r.examine(ctx, n, tx); err != nil {
			return err
		}
	}
	if x.store {
		return migrated(ctx, n, tx)
	}
	return nil
}
