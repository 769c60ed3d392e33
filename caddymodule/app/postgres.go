package app

import (
	"crypto/sha256"
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/internal/dsn"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/postgres"
)

func init() {
	caddy.RegisterModule(new(PostgresStore))
}

// PostgresStore keeps claims in PostgreSQL 12 or newer, so that several edges
// share them: alone, as the fallback of another store, or as an inbox. The
// table hookgate.claims is made by "hookgate store migrate", or by
// deploy/postgres/schema.sql. Connections outlive a reload with equal settings.
//
// A server that is down is no obstacle to starting.
type PostgresStore struct {
	// How to connect: postgres://user:password@host/database, or words such as
	// host=db user=hookgate. All of it, or a part, may be a placeholder,
	// {env.NAME} or {file./path}; a password must be one, and is written as it
	// is in such a text: in a URL with percent signs. It is read anew for each
	// connection. TLS is what it says (sslmode, sslrootcert, sslcert, sslkey).
	// Required.
	DSN string `json:"dsn,omitempty"`

	opts   postgres.StoreOptions
	digest [sha256.Size]byte // of all settings
}

// CaddyModule returns the Caddy module information.
func (*PostgresStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "hookgate.stores.postgres",
		New: func() caddy.Module { return new(PostgresStore) },
	}
}

// Provision implements caddy.Provisioner. It connects to nothing.
func (s *PostgresStore) Provision(caddy.Context) error {
	if err := dsn.Check(s.DSN); err != nil {
		return err
	}
	s.opts = postgres.StoreOptions{DSN: dsn.Reader(s.DSN)}
	if _, err := postgres.NewStore(s.opts); err != nil { // checks them
		return err
	}
	now, err := s.opts.DSN()
	if err != nil {
		return err
	}
	all, err := json.Marshal([]any{s, now})
	if err != nil {
		return err
	}
	s.digest = sha256.Sum256(all)
	return nil
}

// postgresStores has the open stores by their settings: they stay open over a
// reload.
var postgresStores = caddy.NewUsagePool()

// postgresKey is the key of postgresStores.
type postgresKey struct {
	digest         [sha256.Size]byte
	durable, inbox bool
}

// postgresEntry is an entry of postgresStores.
type postgresEntry struct{ store *postgres.Store }

// Destruct implements caddy.Destructor, when the last user has left.
func (e postgresEntry) Destruct() error {
	ctx, cancel := drainContext()
	defer cancel()
	return e.store.Close(ctx)
}

// OpenStore implements StoreDriver.
func (s *PostgresStore) OpenStore(env Env) (hook.Store, Handle, error) {
	key := postgresKey{s.digest, env.Durable, env.Inbox}
	v, _, err := postgresStores.LoadOrNew(key, func() (caddy.Destructor, error) {
		opts := s.opts
		opts.Logger, opts.Durable = lasting(env.Logger), env.Durable
		if env.Inbox {
			opts.Timeout = inboxTimeout
		}
		store, err := postgres.NewStore(opts)
		return postgresEntry{store}, err
	})
	if err != nil {
		return nil, nil, err
	}
	store := v.(postgresEntry).store
	return store, postgresHandle{store, key}, nil
}

// postgresHandle is one config's hold on a store.
type postgresHandle struct {
	store *postgres.Store
	key   postgresKey
}

// Start implements Handle.
func (h postgresHandle) Start() error { return h.store.Start() }

// Release implements Handle.
func (h postgresHandle) Release() error {
	_, err := postgresStores.Delete(h.key)
	return err
}

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	store postgres <dsn>
func (s *PostgresStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	if !d.Args(&s.DSN) {
		return d.Err("postgres: a DSN is missing")
	}
	if err := dsn.Check(s.DSN); err != nil {
		return d.WrapErr(err)
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return parse.Block(d, nil)
}

// Interface guards
var (
	_ StoreDriver           = (*PostgresStore)(nil)
	_ caddy.Provisioner     = (*PostgresStore)(nil)
	_ caddyfile.Unmarshaler = (*PostgresStore)(nil)
)
