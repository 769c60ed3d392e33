package command

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hookgate/hookgate/deadletter"
)

// changeFlags are those of commands that change something.
type changeFlags struct {
	filterFlags
	yes, dryRun bool
	limit       int
}

func (f *changeFlags) register(cmd *cobra.Command) {
	f.filterFlags.register(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "all dead letters are meant")
	cmd.Flags().IntVar(&f.limit, "limit", 0, "how many letters at most, the oldest first (default: no bound)")
	f.registerConsent(cmd)
}

func (f *changeFlags) registerConsent(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would happen, and change nothing")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
}

// check is for what can be said before anybody is asked.
func (f *changeFlags) check(cmd *cobra.Command) error {
	switch {
	case f.limit < 0:
		return usage(errors.New("--limit is 0, for no bound, or more"))
	case !f.yes && !f.dryRun && !canAsk(cmd):
		return usage(errors.New("this changes dead letters: say --yes, or --dry-run to see what would happen"))
	}
	return nil
}

// consent counts the letters and asks, where that was not waived. It returns
// false where there is nothing to do, or the answer is no.
func (f *changeFlags) consent(ctx context.Context, cmd *cobra.Command, desk deadletter.Desk, filter deadletter.Filter, what string) (bool, error) {
	if f.yes || f.dryRun {
		return true, nil
	}
	n, err := desk.List(ctx, deadletter.ListOptions{Filter: filter, Limit: 1}, func(*deadletter.Record) error { return nil })
	if err != nil && !deadletter.Unreadable(err) {
		return false, err
	}
	if f.limit > 0 {
		n = min(n, f.limit)
	}
	if n == 0 {
		cmd.PrintErrln("no dead letters match: nothing was done")
		return false, absent(filter.IDs, n)
	}
	return askUser(ctx, cmd, fmt.Sprintf("%s %s?", what, count(n, "dead letter")))
}

// canAsk reports whether somebody is there to answer.
func canAsk(cmd *cobra.Command) bool {
	f, ok := cmd.InOrStdin().(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// askUser asks a question, to which only yes is yes.
func askUser(ctx context.Context, cmd *cobra.Command, question string) (bool, error) {
	cmd.PrintErr(question + " [y/N] ")
	answer := make(chan string, 1)
	go func() { // a read cannot be ended; the program is
		line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return true, nil
		}
	case <-ctx.Done():
		cmd.PrintErrln()
	}
	cmd.PrintErrln("nothing was changed")
	return false, ctx.Err()
}

func newLettersReplay(c *lettersConn) *cobra.Command {
	var (
		f         changeFlags
		rate      float64
		contracts []string
	)
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Sends dead letters to be processed once more",
		Long: `Sends dead letters to where they came from, to be processed once more. A letter is
removed when its event is durable there.

It may be interrupted at any time, and run again: what was sent twice is
processed once, because it has the same key. Letters of the kind invalid are held
against the contract of today, and stay where they still do not meet it; those of
the kind conflict get an event ID of their own. All letters of one event go
together. An event that fails once more is a dead letter again, and is left alone
by the run that has sent it.`,
		Example: `  hookgate dead-letters replay 3b1f0c9a5d7e2468
  hookgate dead-letters replay --kind exhausted --since 2h --rate 50 --dry-run
  hookgate dead-letters replay --all --limit 100 --yes`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			filter, err := f.scope(cmd, ids)
			if err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			opts := deadletter.ReplayOptions{Filter: filter, All: f.all, DryRun: f.dryRun, Limit: f.limit, Rate: rate}
			if err := opts.Check(); err != nil {
				return usage(err)
			}
			schemas, err := readContracts(contracts)
			if err != nil {
				return err
			}
			for _, s := range schemas {
				opts.Contracts = append(opts.Contracts, s)
			}
			return onLetters(cmd, c, !f.dryRun, func(ctx context.Context, desk deadletter.Desk) error {
				if ok, err := f.consent(ctx, cmd, desk, filter, "Replay"); err != nil || !ok {
					return err
				}
				p := newLettersProgress(cmd.ErrOrStderr(), "sent")
				report, err := desk.Replay(ctx, opts, p.tell)
				p.end()
				return cmp.Or(c.finish(ctx, cmd, report, "sent", f.dryRun, err), absent(ids, report.Matched))
			})
		},
	}
	f.register(cmd)
	cmd.Flags().Float64Var(&rate, "rate", 0, "how many letters a second at most (default: no bound)")
	cmd.Flags().StringArrayVar(&contracts, "contract", nil, "file with a contract of your own, for letters of the kind invalid; may stand more than once")
	return cmd
}

func newLettersDiscard(c *lettersConn) *cobra.Command {
	var (
		f       changeFlags
		archive string
	)
	cmd := &cobra.Command{
		Use:   "discard [ID...]",
		Short: "Puts dead letters into a file, and removes them",
		Long: `Writes dead letters to a new file, as JSON lines with all their values, and removes
them when the file is on disk. Whenever it is interrupted, each letter is in the
file, or where it was, or both. The file holds personal data.`,
		Example: `  hookgate dead-letters discard --kind invalid --until 30d --dry-run
  hookgate dead-letters discard --kind invalid --until 30d --archive old.jsonl --yes`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			filter, err := f.scope(cmd, ids)
			if err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			return onLetters(cmd, c, !f.dryRun, func(ctx context.Context, desk deadletter.Desk) error {
				if f.dryRun {
					return c.dryDiscard(ctx, cmd, desk, filter, f.limit)
				}
				if ok, err := f.consent(ctx, cmd, desk, filter, "Discard"); err != nil || !ok {
					return err
				}
				opts := deadletter.DiscardOptions{Filter: filter, All: f.all, Limit: f.limit, Archive: archive}
				if opts.Archive == "" {
					opts.Archive = archiveName("discarded")
				}
				p := newLettersProgress(cmd.ErrOrStderr(), "discarded")
				report, err := deadletter.Discard(ctx, desk, opts, p.tell)
				p.end()
				if report.Done > 0 {
					cmd.PrintErrf("the letters are in %s\n", opts.Archive)
				}
				return cmp.Or(c.finish(ctx, cmd, report, "discarded", false, err), absent(ids, report.Matched))
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&archive, "archive", "", "the file, which must not be there before (default: dead-letters-discarded-<time>.jsonl)")
	return cmd
}

func (c *lettersConn) dryDiscard(ctx context.Context, cmd *cobra.Command, desk deadletter.Desk, filter deadletter.Filter, limit int) error {
	n, err := desk.List(ctx, deadletter.ListOptions{Filter: filter, Limit: 1}, func(*deadletter.Record) error { return nil })
	report := deadletter.Report{Matched: n, Done: n}
	if deadletter.Unreadable(err) {
		report.Warning, err = err.Error(), nil
	}
	if limit > 0 && n > limit {
		report.Done, report.Left, report.Limited = limit, n-limit, true
	}
	return cmp.Or(c.finish(ctx, cmd, report, "discarded", true, err), absent(filter.IDs, n))
}

// archiveName is the file for letters where nobody names one.
func archiveName(what string) string {
	return "dead-letters-" + what + "-" + time.Now().UTC().Format("20060102T150405.000Z") + ".jsonl"
}

// finish prints a report, and ends a command with its exit code.
func (c *lettersConn) finish(ctx context.Context, cmd *cobra.Command, r deadletter.Report, done string, dry bool, err error) error {
	interrupted := err != nil && ctx.Err() != nil
	if err != nil && r.Done+r.Kept == 0 && !interrupted && !errors.Is(err, errUnknown) {
		return err
	}
	switch {
	case c.json:
		if e := printLine(cmd.OutOrStdout(), r); e != nil {
			return e
		}
	case err == nil || r.Matched > 0:
		printReport(cmd.OutOrStdout(), r, done, dry)
	}
	switch {
	case interrupted:
		return partial("interrupted; run it again for the rest")
	case err != nil:
		return &ExitError{Code: exitPartial, Err: fmt.Errorf("not all letters were %s: %w", done, err)}
	case r.Warning != "":
		return partial(r.Warning)
	case r.Kept > 0 && dry:
		return partial(count(r.Kept, "letter") + " would stay; the reasons are above")
	case r.Kept > 0:
		return partial(count(r.Kept, "letter") + " stayed; the reasons are above")
	case r.Left > 0 && !r.Limited:
		return partial(count(r.Left, "letter") + " not got to; run it again if the list has them")
	}
	return nil
}

func printReport(w io.Writer, r deadletter.Report, done string, dry bool) {
	switch {
	case r.Matched == 0:
		fmt.Fprintln(w, "no dead letters match: nothing was done")
		return
	case dry:
		fmt.Fprintf(w, "%d of %s would be %s", r.Done, count(r.Matched, "dead letter"), done)
	default:
		fmt.Fprintf(w, "%d of %s %s", r.Done, count(r.Matched, "dead letter"), done)
	}
	if r.Kept > 0 {
		fmt.Fprintf(w, ", %d kept", r.Kept)
	}
	if r.Left > 0 {
		fmt.Fprintf(w, ", %d left", r.Left)
	}
	fmt.Fprintln(w)
	named := 0
	for _, k := range r.Reasons {
		named += k.Count
		ids := strings.Join(k.IDs[:min(len(k.IDs), 3)], ", ")
		if k.Count > 3 {
			ids += ", ..."
		}
		fmt.Fprintf(w, "  %s: %s (%s)\n", count(k.Count, "letter"), printable(k.Reason), ids)
	}
	if n := r.Kept - named; n > 0 {
		fmt.Fprintf(w, "  %s for other reasons\n", count(n, "letter"))
	}
}

// editInput reads the body or the patch of an edit.
func editInput(cmd *cobra.Command, body, patch string) (deadletter.EditOptions, error) {
	var opts deadletter.EditOptions
	switch {
	case body == "" == (patch == ""):
		return opts, usage(errors.New("say what the event is to be: --body FILE, or --merge-patch with a file or JSON"))
	case body != "":
		raw, err := readFile(cmd, body)
		if err != nil {
			return opts, usage(fmt.Errorf("--body: %w", err))
		}
		opts.Body = raw
	case strings.HasPrefix(strings.TrimSpace(patch), "{"):
		opts.Patch = json.RawMessage(patch)
	default:
		raw, err := readFile(cmd, patch)
		if err != nil {
			return opts, usage(fmt.Errorf("--merge-patch: %w", err))
		}
		opts.Patch = raw
	}
	if opts.Patch != nil && !json.Valid(opts.Patch) {
		return opts, usage(errors.New("--merge-patch is not JSON"))
	}
	return opts, nil
}

// readFile reads a file, or the standard input for a hyphen.
func readFile(cmd *cobra.Command, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(path)
}

func newLettersEdit(c *lettersConn) *cobra.Command {
	var (
		f                    changeFlags
		body, patch, archive string
		contracts            []string
	)
	cmd := &cobra.Command{
		Use:   "edit ID",
		Short: "Sends an event with another body in the place of a dead letter",
		Long: `Sends a new event in the place of a dead letter: with another body, that meets the
contract of today, and an event ID of its own, which is made of the old one and of
the new body. It names the letter in its header. The letter is written to a file
before it is removed; the file holds personal data.`,
		Example: `  hookgate dead-letters edit 3b1f0c9a5d7e2468 --merge-patch '{"callOutcome":"answered"}'
  hookgate dead-letters edit 3b1f0c9a5d7e2468 --body fixed.json --yes`,
		Args: oneArg("the ID of one letter, as hookgate dead-letters list has it"),
		RunE: func(cmd *cobra.Command, ids []string) error {
			filter, err := f.filter(cmd, ids)
			if err != nil {
				return err
			}
			opts, err := editInput(cmd, body, patch)
			if err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			schemas, err := readContracts(contracts)
			if err != nil {
				return err
			}
			for _, s := range schemas {
				opts.Contracts = append(opts.Contracts, s)
			}
			opts.ID = ids[0]
			if archive == "" {
				archive = archiveName("edited")
			}
			return onLetters(cmd, c, !f.dryRun, func(ctx context.Context, desk deadletter.Desk) error {
				return c.edit(ctx, cmd, desk, &f, filter, opts, archive)
			})
		},
	}
	f.registerConsent(cmd)
	cmd.Flags().StringVar(&body, "body", "", "file with the new body, - for the standard input")
	cmd.Flags().StringVar(&patch, "merge-patch", "", "what changes, as a JSON Merge Patch: JSON, or a file, or - for the standard input")
	cmd.Flags().StringVar(&archive, "archive", "", "file for the letter as it was, which must not be there before (default: dead-letters-edited-<time>.jsonl)")
	cmd.Flags().StringArrayVar(&contracts, "contract", nil, "file with a contract of your own; may stand more than once")
	return cmd
}

// edit looks first whether the edit makes sense, and then asks.
func (c *lettersConn) edit(ctx context.Context, cmd *cobra.Command, desk deadletter.Desk, f *changeFlags, filter deadletter.Filter, opts deadletter.EditOptions, archive string) error {
	opts.DryRun = true
	edited, err := desk.Edit(ctx, opts)
	if err != nil {
		return err
	}
	if !f.dryRun {
		if ok, err := f.consent(ctx, cmd, desk, filter, "Edit"); err != nil || !ok {
			return err
		}
		if _, _, err := deadletter.Keep(ctx, desk, deadletter.ListOptions{Filter: filter}, archive); err != nil && !deadletter.Unreadable(err) {
			return err
		}
		cmd.PrintErrf("the letter as it was is in %s\n", archive)
		opts.DryRun = false
		if edited, err = desk.Edit(ctx, opts); err != nil {
			return &ExitError{Code: exitPartial, Err: fmt.Errorf("the event may have been sent, or not; run it again, which makes the same event: %w", err)}
		}
	}
	if c.json {
		return printLine(cmd.OutOrStdout(), edited)
	}
	verb := "was sent"
	if f.dryRun {
		verb = "would be sent"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "an event of %s %s in the place of %s; its digest is %s\n",
		count(edited.Size, "byte"), verb, edited.ID, edited.EventDigest)
	return nil
}
