package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hookgate/hookgate/hook"
)

// The SQLSTATEs that are told apart, see Appendix A of PostgreSQL's manual.
const (
	classData       = "22"
	classConstraint = "23"
	lockNotGot      = "55P03"
)

// hints say what a person should look at.
var hints = map[string]string{
	"28000": "it does not let this user in",
	"28P01": "it does not take the password",
	"3D000": "there is no such database",
	"3F000": "there is no such schema",
	"42501": "the user may not do this",
	"42703": "a column is missing",
	"42P01": "a table is missing",
	"25006": "it is read-only",
	"53300": "it has too many connections",
	"57P01": "it is being shut down, or has ended the connection",
	"57P03": "it is starting, or being shut down",
	"57014": "the statement took too long",
}

// fault returns what an error of the driver means. It holds nothing of the
// error's own text, which may quote the event or the DSN.
func fault(ctx context.Context, err error, timeout time.Duration) error {
	f := &hook.Fault{Kind: hook.KindTransient}
	if ctx.Err() != nil {
		f.Err = ctx.Err()
	}
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		f.Message = reason(ctx, err, timeout)
		return f
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	if class := answer.Code[:min(2, len(answer.Code))]; !connecting && (class == classData || class == classConstraint) {
		f.Kind = hook.KindPermanent
		f.Message = "the database refused the event: SQLSTATE " + answer.Code
		switch {
		case answer.ConstraintName != "":
			f.Message += ", constraint " + answer.ConstraintName
		case answer.ColumnName != "":
			f.Message += ", column " + answer.ColumnName
		}
		return f
	}
	f.Message = "the database failed: SQLSTATE " + answer.Code
	if hint := hints[answer.Code]; hint != "" {
		f.Message += ", " + hint
	}
	return f
}

// reason says why there was no answer.
func reason(ctx context.Context, err error, timeout time.Duration) string {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return "the attempt was interrupted"
	}
	if ctx.Err() != nil {
		return fmt.Sprintf("the database did not answer within %s", timeout)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name of the database's host cannot be resolved: " + e.Err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate of the database is not trusted"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate of the database is for another name"
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return "the database cannot be reached: " + e.Error()
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return "the database cannot be reached"
	}
	return "the connection to the database was lost"
}
