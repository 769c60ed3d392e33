package deadletter

import (
	"context"

	"github.com/hookgate/hookgate/hook"
)

// RemoveOptions say which letters are removed.
type RemoveOptions struct {
	// IDs of the letters. One that stands twice means two copies of a letter.
	// Required.
	IDs []string `json:"ids"`
}

// Check returns what is wrong with the options.
func (o *RemoveOptions) Check() error {
	if len(o.IDs) == 0 {
		return ErrNoScope
	}
	f := Filter{IDs: o.IDs}
	return f.Check()
}

// Remove implements Desk.
func (d *Local) Remove(ctx context.Context, opts RemoveOptions, progress func(Progress)) (Report, error) {
	if err := opts.Check(); err != nil {
		return Report{}, err
	}
	open := make(map[string]int)
	for _, id := range opts.IDs {
		open[id]++
	}
	report := Report{Matched: len(opts.IDs)}
	pending := 0
	err := d.Letters.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
		report.Done += pending
		if pending > 0 && progress != nil {
			progress(Progress{Done: report.Done, Matched: report.Matched})
		}
		pending = 0
		switch {
		case ctx.Err() != nil, len(open) == 0:
			return hook.Verdict{Do: hook.Stop}
		case open[l.ID] == 0:
			return hook.Verdict{}
		}
		if open[l.ID]--; open[l.ID] == 0 {
			delete(open, l.ID)
		}
		pending = 1
		return hook.Verdict{Do: hook.Discard}
	})
	if err == nil || Unreadable(err) {
		report.Done += pending
		err = ctx.Err()
	}
	report.Left = report.Matched - report.Done
	return report, err
}
