package command

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/genesys/provision"
)

// jobs are those that a client can be checked for.
var jobs = []provision.Job{provision.JobRanges, provision.JobDataAction, provision.JobOpenMessaging, provision.JobList, provision.JobRemove}

func newGenesysCheck(c *genesysConn) *cobra.Command {
	var forJobs []string
	cmd := &cobra.Command{
		Use:   "check [URL]",
		Short: "Looks whether the OAuth client, its rights and a hook are in order",
		Long: `Asks for a token and for the IP ranges, and looks which permissions the OAuth
client has. With the URL of a hook it also looks at the certificate there, and
whether a hook answers. It changes nothing, and sends no event.

Only permissions to look at something can be looked up. The others show when they
are needed. With --for, a permission that the command of this name needs and that
is missing makes the check fail.

` + permissionHelp(provision.JobCheck),
		Example: `  hookgate genesys check
  hookgate genesys check https://hooks.example.com/webhooks/genesys/pe-action-map --for "provision data-action"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := provision.CheckOptions{URL: strings.Join(args, "")}
			for _, name := range forJobs {
				if !slices.Contains(jobs, provision.Job(name)) {
					return usage(fmt.Errorf("--for is one of %q, not %q", jobs, name))
				}
				o.Jobs = append(o.Jobs, provision.Job(name))
			}
			return c.check(cmd, o)
		},
	}
	cmd.Flags().StringSliceVar(&forJobs, "for", nil, "a command that the client is to be able to do; may stand several times")
	return cmd
}

func (c *genesysConn) check(cmd *cobra.Command, o provision.CheckOptions) error {
	client, err := c.open()
	if err != nil {
		return err
	}
	defer client.Close()
	roots, err := readRoots(c.caCert)
	if err != nil {
		return usage(err)
	}
	o.Client, o.HTTP = client, &http.Client{Transport: trusting(roots)}
	ctx, done := interruptible(cmd)
	defer done()
	found := provision.Check(ctx, o)
	if c.json {
		err = printValue(cmd.OutOrStdout(), found)
	} else {
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, f := range found {
			fmt.Fprintf(t, "%s\t%s\t%s\n", f.State, f.What, shown(f.Detail))
		}
		err = t.Flush()
	}
	if err == nil && slices.ContainsFunc(found, func(f provision.Finding) bool { return f.State == provision.Failed }) {
		err = errors.New("something is not in order")
	}
	return err
}
