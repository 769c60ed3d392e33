package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/genesys/provision"
)

// kindFlag says which kinds of things a command is about.
type kindFlag string

func (k *kindFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(k), "kind", "", "data-action or open-messaging (default both)")
}

func (k kindFlag) kinds() (provision.Kinds, error) {
	switch k {
	case "":
		return provision.Kinds{DataActions: true, OpenMessaging: true}, nil
	case "data-action":
		return provision.Kinds{DataActions: true}, nil
	case "open-messaging":
		return provision.Kinds{OpenMessaging: true}, nil
	}
	return provision.Kinds{}, usage(fmt.Errorf("--kind is data-action or open-messaging, not %q", string(k)))
}

func newGenesysList(c *genesysConn) *cobra.Command {
	var kind kindFlag
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists what was made here",
		Long: `Lists the integrations, data actions, credentials and Open Messaging integrations
whose names begin with Hookgate.

` + permissionHelp(provision.JobList),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kinds, err := kind.kinds()
			if err != nil {
				return err
			}
			f := &setFlags{conn: c}
			return f.do(cmd, nil, func(ctx context.Context, p *provision.Provisioner) (*provision.Report, error) {
				return p.List(ctx, "", kinds)
			})
		},
	}
	kind.register(cmd)
	return cmd
}

func newGenesysRemove(c *genesysConn) *cobra.Command {
	var (
		f    = &setFlags{conn: c}
		kind kindFlag
		yes  bool
	)
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Removes what was made here",
		Long: `Removes the integration, the data actions, the credential and the Open Messaging
integration with the name Hookgate, or Hookgate and what --name says, and nothing
else. Flows that use them fail from then on.

` + permissionHelp(provision.JobRemove),
		Example: `  hookgate genesys remove --name staging --dry-run
  hookgate genesys remove --name staging --kind open-messaging --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kinds, err := kind.kinds()
			if err != nil {
				return err
			}
			name, err := provision.Name(f.name)
			if err != nil {
				return usage(fmt.Errorf("--name: %w", err))
			}
			if !yes && !f.dryRun && !canAsk(cmd) {
				return usage(errors.New("this removes what is in use: say --yes, or --dry-run to see what would happen"))
			}
			if !yes && !f.dryRun {
				ctx, done := interruptible(cmd)
				ok, err := askUser(ctx, cmd, fmt.Sprintf("remove everything with the name %q?", name))
				done()
				if err != nil || !ok {
					return err
				}
			}
			return f.do(cmd, nil, func(ctx context.Context, p *provision.Provisioner) (*provision.Report, error) {
				return p.Remove(ctx, name, kinds)
			})
		},
	}
	f.register(cmd)
	kind.register(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
