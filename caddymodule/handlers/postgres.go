package handlers

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/internal/dsn"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/postgres"
)

func init() { caddy.RegisterModule(new(Postgres)) }

// Postgres writes events into a table of PostgreSQL, each exactly once: the
// event and the record that it was processed are one transaction, so that it
// needs no inbox elsewhere. deploy/postgres/schema.sql has the tables, and a
// role that may do no more than is needed.
//
// An event that is not JSON, or that a constraint refuses, is a dead letter at
// once. After anything else it is tried again.
type Postgres struct {
	// How to connect: postgres://user:password@host/database, or words such as
	// host=db user=hookgate. All of it, or a part, may be a placeholder,
	// {env.NAME} or {file./path}; a password must be one, and is written as it
	// is in such a text: in a URL with percent signs. It is read anew for each
	// connection, so that a changed file needs no reload. Required.
	DSN string `json:"dsn,omitempty"`

	// Where events go, as schema.table. The inbox is the table hookgate_inbox
	// in the same schema. Required.
	Table string `json:"table,omitempty"`

	// How long an attempt may take. Default: 30s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	opts postgres.Options
}

// CaddyModule returns the Caddy module information.
func (*Postgres) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "hookgate.handlers.postgres", New: func() caddy.Module { return new(Postgres) }}
}

// Provision implements caddy.Provisioner. It connects to nothing.
func (p *Postgres) Provision(caddy.Context) error {
	if err := dsn.Check(p.DSN); err != nil {
		return err
	}
	p.opts = postgres.Options{
		Table: p.Table, Timeout: time.Duration(p.Timeout),
		DSN: dsn.Reader(p.DSN),
	}
	_, err := postgres.New(p.opts) // checks them
	return err
}

// NewHandler implements app.HandlerDriver.
func (p *Postgres) NewHandler(env app.Env) (hook.Handler, error) {
	opts := p.opts
	opts.Logger, opts.Connections = env.Logger, env.Concurrency
	h, err := postgres.New(opts)
	if err != nil {
		return nil, err
	}
	return &postgresHandler{h}, nil
}

// postgresHandler is a handler that is started and released.
type postgresHandler struct{ *postgres.Handler }

// Release implements app.Handle.
func (h *postgresHandler) Release() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		return fmt.Errorf("postgres: connections are left: %w", err)
	}
	return nil
}

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	postgres <dsn> <schema.table> {
//		timeout <duration>
//	}
func (p *Postgres) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // its name
	if !d.Args(&p.DSN, &p.Table) {
		return d.Err("postgres: a DSN and a table are needed")
	}
	if err := dsn.Check(p.DSN); err != nil {
		return d.WrapErr(err)
	}
	if err := postgres.CheckTable(p.Table); err != nil {
		return d.WrapErr(err)
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return parse.Block(d, map[string]parse.Func{"timeout": parse.Time(&p.Timeout)})
}

// Interface guards
var (
	_ app.HandlerDriver     = (*Postgres)(nil)
	_ caddy.Provisioner     = (*Postgres)(nil)
	_ caddyfile.Unmarshaler = (*Postgres)(nil)
	_ app.Handle            = (*postgresHandler)(nil)
	_ hook.Once             = (*postgresHandler)(nil)
)
