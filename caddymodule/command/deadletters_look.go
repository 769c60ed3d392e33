package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/deadletter"
)

// defaultLettersLimit is how many letters a list shows where nobody says.
const defaultLettersLimit = 50

func newLettersList(c *lettersConn) *cobra.Command {
	var (
		f     filterFlags
		limit int
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists dead letters, the oldest first",
		Long: `Lists dead letters, the oldest first. Nothing is taken, and nothing changes its
place. The ID in the first column names a letter to the other commands.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(cmd, nil)
			if err != nil {
				return err
			}
			if limit < 0 {
				return usage(errors.New("--limit is 0, for no bound, or more"))
			}
			return onLetters(cmd, c, false, func(ctx context.Context, desk deadletter.Desk) error {
				return listLetters(ctx, cmd, c, desk, deadletter.ListOptions{Filter: filter, Limit: limit, Values: c.values})
			})
		},
	}
	f.register(cmd)
	cmd.Flags().IntVar(&limit, "limit", defaultLettersLimit, "how many letters at most, 0 for all")
	return cmd
}

func listLetters(ctx context.Context, cmd *cobra.Command, c *lettersConn, desk deadletter.Desk, opts deadletter.ListOptions) error {
	out := cmd.OutOrStdout()
	table, shown := newLettersTable(out, c.values), 0
	matched, err := desk.List(ctx, opts, func(r *deadletter.Record) error {
		shown++
		if c.json {
			return printLine(out, r)
		}
		table.add(r)
		return nil
	})
	if !c.json {
		if e := table.flush(); err == nil {
			err = e
		}
		if shown == 0 && err == nil {
			fmt.Fprintln(out, "no dead letters")
		}
	}
	return seen(cmd, shown, matched, err)
}

// seen ends a command that looks: one that has seen some, and not all, says so.
func seen(cmd *cobra.Command, shown, matched int, err error) error {
	switch {
	case err != nil && shown > 0:
		return &ExitError{Code: exitPartial, Err: fmt.Errorf("not all letters are shown: %w", err)}
	case err != nil:
		return err
	case matched > shown:
		cmd.PrintErrf("%d of %d shown; --limit 0 shows all\n", shown, matched)
	}
	return nil
}

func newLettersShow(c *lettersConn) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID...",
		Short: "Shows all that is known of dead letters",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("give the ID of a letter, as hookgate dead-letters list has it")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error {
			filter, err := new(filterFlags).filter(cmd, ids)
			if err != nil {
				return err
			}
			return onLetters(cmd, c, false, func(ctx context.Context, desk deadletter.Desk) error {
				missing := make(map[string]bool, len(ids))
				for _, id := range ids {
					missing[id] = true
				}
				shown := 0
				matched, err := desk.List(ctx, deadletter.ListOptions{Filter: filter, Values: c.values}, func(r *deadletter.Record) error {
					shown++
					delete(missing, r.ID)
					if c.json {
						return printLine(cmd.OutOrStdout(), r)
					}
					return printLetter(cmd.OutOrStdout(), r, c.values)
				})
				for _, id := range ids {
					if err == nil && missing[id] {
						err = fmt.Errorf("there is no dead letter %s", id)
					}
				}
				return seen(cmd, shown, matched, err)
			})
		},
	}
}

func newLettersGroups(c *lettersConn) *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:   "groups",
		Short: "Counts dead letters by what went wrong",
		Long: `Counts dead letters by hook, kind, status and message. Numbers, IDs and addresses
in messages do not tell groups apart.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(cmd, nil)
			if err != nil {
				return err
			}
			return onLetters(cmd, c, false, func(ctx context.Context, desk deadletter.Desk) error {
				var (
					groups deadletter.Groups
					shown  int
				)
				matched, err := desk.List(ctx, deadletter.ListOptions{Filter: filter}, func(r *deadletter.Record) error {
					shown++
					groups.Add(r)
					return nil
				})
				if shown > 0 || err == nil {
					if e := printGroups(cmd.OutOrStdout(), groups.List(), c.json); err == nil {
						err = e
					}
				}
				return seen(cmd, shown, matched, err)
			})
		},
	}
	f.register(cmd)
	return cmd
}

func newLettersExport(c *lettersConn) *cobra.Command {
	var (
		f    filterFlags
		path string
	)
	cmd := &cobra.Command{
		Use:   "export [ID...]",
		Short: "Writes dead letters as JSON lines",
		Long: `Writes dead letters as JSON lines, to a new file or to the standard output. They
stay where they are. With --show-values the lines have all of a letter.`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			filter, err := f.filter(cmd, ids)
			if err != nil {
				return err
			}
			opts := deadletter.ListOptions{Filter: filter, Values: c.values}
			return onLetters(cmd, c, false, func(ctx context.Context, desk deadletter.Desk) error {
				if path != "" {
					return exportTo(ctx, cmd, desk, opts, path)
				}
				shown := 0
				matched, err := desk.List(ctx, opts, func(r *deadletter.Record) error {
					shown++
					return printLine(cmd.OutOrStdout(), r)
				})
				return seen(cmd, shown, matched, err)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVarP(&path, "output", "o", "", "the file, which must not be there before")
	return cmd
}

func exportTo(ctx context.Context, cmd *cobra.Command, desk deadletter.Desk, opts deadletter.ListOptions, path string) error {
	a, err := deadletter.CreateArchive(path)
	if err != nil {
		return err
	}
	shown := 0
	matched, err := desk.List(ctx, opts, func(r *deadletter.Record) error {
		shown++
		return a.Write(r)
	})
	if err = errors.Join(err, a.Close()); err == nil {
		cmd.PrintErrf("%s in %s\n", count(shown, "dead letter"), path)
	}
	return seen(cmd, shown, matched, err)
}

// printLine prints a value as a line of JSON that does not steer a terminal.
func printLine(w io.Writer, v any) error {
	var line lineBuffer
	if err := deadletter.NewLines(&line).Write(v); err != nil {
		return err
	}
	return printJSON(w, json.RawMessage(line))
}

type lineBuffer []byte

func (b *lineBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
