package command

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/deadletter"
)

// filterFlags are a filter on the command line.
type filterFlags struct {
	hook, kind, error, status, since, until, eventID string
	where                                            []string
	all                                              bool
}

func (f *filterFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.hook, "hook", "", "only letters of this hook")
	flags.StringVar(&f.kind, "kind", "", "only this kind: invalid, conflict, permanent, exhausted or poison")
	flags.StringVar(&f.error, "error", "", "only letters with this text in their message")
	flags.StringVar(&f.status, "status", "", "only this status of the downstream, such as 503 or 5xx")
	flags.StringVar(&f.since, "since", "", "only letters that failed then or later: a time, or a time ago such as 2h or 3d")
	flags.StringVar(&f.until, "until", "", "only letters that failed before")
	flags.StringVar(&f.eventID, "event-id", "", "only letters of this event")
	flags.StringArrayVar(&f.where, "where", nil, "only letters with this value in their body, such as /callOutcome=answered; may stand more than once")
}

// filter reads the flags, and the IDs that stand beside them.
func (f *filterFlags) filter(cmd *cobra.Command, ids []string) (deadletter.Filter, error) {
	var (
		filter deadletter.Filter
		now    = time.Now()
		errs   []error
	)
	set := func(flag, field, value string) {
		if err := filter.Set(field, value, now); err != nil {
			err = errors.New(strings.TrimPrefix(err.Error(), field+": "))
			errs = append(errs, fmt.Errorf("%s: %w", flag, err))
		}
	}
	for _, part := range []struct{ flag, field, value string }{
		{"hook", deadletter.FieldHook, f.hook},
		{"kind", deadletter.FieldKind, f.kind},
		{"error", deadletter.FieldError, f.error},
		{"status", deadletter.FieldStatus, f.status},
		{"since", deadletter.FieldSince, f.since},
		{"until", deadletter.FieldUntil, f.until},
		{"event-id", deadletter.FieldEventID, f.eventID},
	} {
		if cmd.Flags().Changed(part.flag) {
			set("--"+part.flag, part.field, part.value)
		}
	}
	for _, w := range f.where {
		set("--where", deadletter.FieldWhere, w)
	}
	for _, id := range ids {
		set("letter", deadletter.FieldID, id)
	}
	if len(errs) > 0 {
		return filter, usage(errs[0])
	}
	return filter, nil
}

// scope is filter for a command that changes something: it must be said which
// letters are meant.
func (f *filterFlags) scope(cmd *cobra.Command, ids []string) (deadletter.Filter, error) {
	filter, err := f.filter(cmd, ids)
	switch {
	case err != nil:
		return filter, err
	case filter.Empty() && !f.all:
		return filter, usage(errors.New("say which letters are meant: their IDs, a filter such as --kind exhausted, or --all"))
	case !filter.Empty() && f.all:
		return filter, usage(errors.New("--all, and an ID or a filter: say one of both"))
	}
	return filter, nil
}

// readContracts reads the files of --contract.
func readContracts(paths []string) (schemas [][]byte, err error) {
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, usage(fmt.Errorf("--contract: %w", err))
		}
		if _, err := contract.Parse(path, raw); err != nil {
			return nil, usage(err)
		}
		schemas = append(schemas, raw)
	}
	return schemas, nil
}

// absent is the error where none of the letters is there that were named by
// their IDs: it was a typing error, or somebody was faster.
func absent(ids []string, matched int) error {
	if len(ids) == 0 || matched > 0 {
		return nil
	}
	return fmt.Errorf("there is no dead letter %s", strings.Join(ids, ", "))
}
