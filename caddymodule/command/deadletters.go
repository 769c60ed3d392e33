package command

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/deadletter"
)

// exitPartial is the exit code of a command that did a part of its work.
const exitPartial = 3

// newDeadLetters returns the command `dead-letters`.
func newDeadLetters() *cobra.Command {
	c := new(lettersConn)
	cmd := &cobra.Command{
		Use:   "dead-letters",
		Short: "Finds, explains, replays, edits and discards dead letters",
		Long: `Dead letters are events that are not tried again by themselves. They are kept
until a person has decided.

The letters are those of the running process, which is asked through its admin
API; with --amqp, or HOOKGATE_AMQP_URL in the environment, those in RabbitMQ. Use
the environment for a URL with a password: the process list shows arguments.

Bodies, event IDs and addresses are personal data. They are shown only with
--show-values; otherwise there are sizes, and the digests that the logs have.

Exit codes:
  0  done
  1  failed, and nothing was changed
  2  the command line is wrong; nothing was done
  3  partial: some letters stayed that were meant, or not all were seen`,
		Example: `  hookgate dead-letters groups
  hookgate dead-letters list --kind exhausted --since 2h
  hookgate dead-letters show 3b1f0c9a5d7e2468 --show-values
  hookgate dead-letters replay --kind exhausted --rate 50 --dry-run
  hookgate dead-letters replay --kind exhausted --rate 50 --yes`,
	}
	c.register(cmd.PersistentFlags())
	cmd.AddCommand(newLettersList(c), newLettersShow(c), newLettersGroups(c), newLettersReplay(c),
		newLettersEdit(c), newLettersDiscard(c), newLettersExport(c))
	return cmd
}

// onLetters runs fn on the desk that the flags name. Ctrl-C ends it in order; a
// second one ends the program.
func onLetters(cmd *cobra.Command, c *lettersConn, changes bool, fn func(context.Context, deadletter.Desk) error) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	desk, done, err := c.open(cmd, changes)
	if err != nil {
		return err
	}
	defer done()
	err = fn(ctx, desk)
	if _, ok := errors.AsType[*ExitError](err); err != nil && !ok && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return err
}

// partial is the end of a command that did some of its work.
func partial(text string) error { return &ExitError{Code: exitPartial, Err: errors.New(text)} }
