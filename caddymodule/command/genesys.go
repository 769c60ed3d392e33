package command

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/genesys/provision"
)

// newGenesys returns the command `genesys`.
func newGenesys() *cobra.Command {
	c := new(genesysConn)
	cmd := &cobra.Command{
		Use:   "genesys",
		Short: "Looks into Genesys Cloud, and makes what sends events to a hook",
		Long: `Asks the Platform API of Genesys Cloud as an OAuth client with the grant type
Client Credentials. There is no API for outbound webhooks in Genesys Cloud: what
sends events to a hook is a data action, or an Open Messaging integration.

The client is given by GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET, and its
region by GENESYS_ENVIRONMENT, in the environment, or by flags. Secrets are never
flags: the process list shows those. Such a client has no scopes; what it may do
follows from its roles. The permissions that each command needs are in its help.

Exit codes:
  0  done
  1  failed, and nothing was changed; of ip-ranges --diff: they differ
  2  the command line is wrong; nobody was asked
  3  partial: something was changed, and then it failed; run it again`,
		Example: `  hookgate genesys check https://hooks.example.com/webhooks/genesys/pe-action-map
  hookgate genesys ip-ranges --service data-actions
  hookgate genesys provision data-action https://hooks.example.com/webhooks/genesys/pe-action-map --dry-run`,
	}
	c.register(cmd.PersistentFlags())
	cmd.AddCommand(newGenesysCheck(c), newGenesysRanges(c), newGenesysProvision(c), newGenesysList(c), newGenesysRemove(c))
	return cmd
}

// interruptible ends with Ctrl-C in order; a second one ends the program.
func interruptible(cmd *cobra.Command) (ctx context.Context, done func()) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	after := context.AfterFunc(ctx, stop)
	return ctx, func() {
		after()
		stop()
	}
}

// permissionHelp lists the permissions that a job needs.
func permissionHelp(j provision.Job) string {
	needs := provision.Permissions(j)
	if len(needs) == 0 {
		return "It needs no permission: a client without a role will do."
	}
	return "It needs the permissions\n  " + strings.Join(needs, "\n  ")
}
