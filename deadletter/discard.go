package deadletter

import (
	"context"
	"errors"
)

// DiscardOptions say which letters are put away.
type DiscardOptions struct {
	// Filter says which letters are meant. Required, without All.
	Filter Filter

	// All means all letters. Default: false.
	All bool

	// Limit is how many letters are discarded at most. Default: 0, no bound.
	Limit int

	// Archive is the file that they are kept in, as JSON lines with personal
	// data. It must not be there before. Required.
	Archive string
}

// Check returns what is wrong with the options.
func (o *DiscardOptions) Check() error {
	switch {
	case o.Filter.Empty() && !o.All:
		return ErrNoScope
	case !o.Filter.Empty() && o.All:
		return errors.New("all letters are meant, and only some of them: say one of both")
	case o.Limit < 0:
		return errors.New("the limit is negative")
	case o.Archive == "":
		return errors.New("a file for the letters is missing")
	}
	return o.Filter.Check()
}

// Discard puts letters away: into the archive first, and when that is on disk,
// out of the dead letters. Whenever it is interrupted, a letter is in the
// archive, or still among the dead letters, or both.
func Discard(ctx context.Context, desk Desk, opts DiscardOptions, progress func(Progress)) (report Report, err error) {
	if err := opts.Check(); err != nil {
		return Report{}, err
	}
	warning := ""
	ids, matched, err := Keep(ctx, desk, ListOptions{Filter: opts.Filter, Limit: opts.Limit}, opts.Archive)
	if Unreadable(err) {
		warning, err = err.Error(), nil
	}
	if err != nil || len(ids) == 0 {
		return Report{Warning: warning}, err
	}
	report, err = desk.Remove(ctx, RemoveOptions{IDs: ids}, progress)
	report.Warning = warning
	if matched > len(ids) {
		report.Left += matched - len(ids)
		report.Limited = true
	}
	report.Matched = matched
	return report, err
}

// Keep writes letters to a new file, and returns their IDs when they are on
// disk. Without letters there is no file. An error leaves what was written; one
// that is Unreadable comes with the IDs of the letters that can be read.
func Keep(ctx context.Context, desk Desk, opts ListOptions, path string) (ids []string, matched int, err error) {
	a, err := CreateArchive(path)
	if err != nil {
		return nil, 0, err
	}
	opts.Values = true
	matched, err = desk.List(ctx, opts, func(r *Record) error {
		ids = append(ids, r.ID)
		return a.Write(r)
	})
	if err = errors.Join(err, a.Close()); err != nil && !Unreadable(err) {
		return nil, matched, err
	}
	return ids, matched, err
}
