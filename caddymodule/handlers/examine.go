package handlers

import (
	"context"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/plugins/postgres"
)

// Examine implements app.Examiner.
func (p *Postgres) Examine(ctx context.Context, x app.Examination, use app.Use) []doctor.Finding {
	all := postgres.ExamineOffline(p.opts.DSN)
	if x.Offline {
		n := doctor.Notes{About: all[0].About}
		n.Excuse("postgres.reach", "not asked: --offline")
		return append(all, n.List...)
	}
	opts := p.opts
	opts.Connections = use.Concurrency
	return append(all, postgres.ExamineHandler(ctx, opts, x.Timeout)...)
}

// Interface guard
var _ app.Examiner = (*Postgres)(nil)
