package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hookgate/hookgate/genesys/simulate"
)

// exitFailed is the exit code for a receiver that did not keep its promises.
const exitFailed = 1

// newSimulate returns the command `simulate`, a sender that behaves like
// Genesys Cloud.
func newSimulate() *cobra.Command {
	var flags simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate URL",
		Short: "Sends events like Genesys Cloud does, and judges the answers",
		Long: `Sends events to URL, and to nothing else, and reports how each of them was
answered. Redirects are not followed, and no proxy is used.

With --source data-action, the default, it sends as a data action does: in
chunks, with Content-Type: application/json, and never again. With --source
open-messaging it sends as Open Messaging does: signed with --hmac, with
Content-Type: application/octet-stream, and after 10 s without an answer, a 429
or a 5xx up to 5 times more, 5 s apart, which takes 85 s at most.

--payload chooses the events, and --release how they are written: as they were
in a year or a month, as they are today, or as they may be next, with other
names, numbers in strings, times without a zone, new members and new values. A
hook takes all of them, and reports the drift.

The events are made up: their telephone numbers are 555-01xx, which is kept for
fiction. Copies and broken, too large or slow bodies are mixed in on request. A
share is 0 to 1, or a percentage such as 10%.

Secrets can be given in the environment, where the process list does not show
them: HOOKGATE_SIMULATE_SECRET instead of --secret-header, and
HOOKGATE_SIMULATE_HMAC instead of --hmac.

Exit codes:
  0  every answer came in time, and was one that may be given
  1  an answer was late or missing, or a redirect, or a bad body was taken
  2  the command line is wrong; nothing was sent

Good events that were refused are listed, and do not change the exit code.`,
		Example: `  hookgate simulate http://localhost:8080/webhooks/genesys/pe-action-map
  hookgate simulate http://localhost:8080/webhooks/genesys/open-messaging --source open-messaging --release next
  hookgate simulate https://hooks.example.com/webhooks/genesys/pe-action-map \
    --rate 200 --duration 1m --duplicates 10% --in-flight 5% --malformed 5% --oversized 1% --slow 1%`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(errors.New("give one URL, for example http://localhost:8080/webhooks/genesys/pe-action-map"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.run(cmd, args[0])
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	flags.register(cmd.Flags())
	return cmd
}

// run sends, and writes the report.
func (f *simulateFlags) run(cmd *cobra.Command, url string) error {
	opts, err := f.options(cmd.Flags(), os.Getenv)
	if err != nil {
		return usage(err)
	}
	opts.URL = url
	if !f.quiet {
		opts.Progress = cmd.ErrOrStderr()
		opts.Redraw = isTerminal(opts.Progress)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the program at once.
	defer context.AfterFunc(ctx, stop)()

	report, err := simulate.Run(ctx, opts)
	if errors.Is(err, simulate.ErrOptions) {
		return usage(err)
	}
	if err != nil {
		return &ExitError{Code: exitFailed, Err: err}
	}
	if err := f.write(cmd.OutOrStdout(), report); err != nil {
		return &ExitError{Code: exitFailed, Err: err}
	}
	if !report.OK() {
		return &ExitError{Code: exitFailed, Err: errors.New("the receiver did not answer as it should; the report says how")}
	}
	return nil
}

// write writes the report in the form that was asked for.
func (f *simulateFlags) write(w io.Writer, report *simulate.Report) error {
	if f.json {
		return report.WriteJSON(w)
	}
	if f.quiet {
		_, err := io.WriteString(w, report.Verdict()+"\n")
		return err
	}
	return report.WriteTable(w)
}

func usage(err error) error { return &ExitError{Code: exitUsage, Err: err} }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
