package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/genesys/provision"
	"github.com/hookgate/hookgate/genesys/simulate"
)

// setFlags are those of commands that make or remove a set of things.
type setFlags struct {
	conn   *genesysConn
	name   string
	dryRun bool
}

func (f *setFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "name", "", "a word of your own in the names: Hookgate WORD (default: Hookgate alone)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "ask what there is, print the requests that would change something, and send none")
}

func newGenesysProvision(c *genesysConn) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Makes what sends events to a hook",
		Long: `Makes what sends events to a hook, or brings what is there up to date. Things are
found by their names, so that it may be run again: after a change, or after it
broke off.`,
	}
	cmd.AddCommand(newProvisionAction(c), newProvisionMessaging(c))
	return cmd
}

// actionFlags are those of genesys provision data-action.
type actionFlags struct {
	setFlags
	contract, contractFile string
	secretFile             string
	noTest                 bool
	settings               provision.DataAction
}

func newProvisionAction(c *genesysConn) *cobra.Command {
	f := &actionFlags{setFlags: setFlags{conn: c}}
	cmd := &cobra.Command{
		Use:   "data-action URL",
		Short: "Makes a data action that sends events to the hook at URL",
		Long: `Makes a web services integration, a credential with the hook's secret, and a data
action whose template is made from the hook's contract; enables the integration;
and runs the test of the action, which sends one event through to the hook. The
event is a real one there: its ID begins with hookgate-test-, and its values are
made up.

The secret is that of the hook's auth header. It comes from --secret-file, or
from ` + envHookSecret + ` in the environment, and is written each time, because
Genesys does not say what it has.

What an action takes as its input cannot be changed in Genesys. Where the contract
has changed, give the action another name with --action, or --replace it.

` + permissionHelp(provision.JobDataAction) + `
and, for --replace, integrations:action:delete.`,
		Example: `  hookgate genesys provision data-action https://hooks.example.com/webhooks/genesys/pe-action-map \
    --region eu-central-1 --secret-file /run/secrets/edge_token`,
		Args: oneArg("the URL of the hook, such as https://hooks.example.com/webhooks/genesys/pe-action-map"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.contract, "contract", "pe-action-map", "the hook's contract: "+strings.Join(contract.Names(), ", "))
	flags.StringVar(&f.contractFile, "contract-file", "", "a file with a contract of your own")
	flags.StringVar(&f.secretFile, "secret-file", "", "file with the hook's secret (or the secret in "+envHookSecret+")")
	flags.StringVar(&f.settings.Action, "action", "", "name of the data action (default: that of the contract)")
	flags.StringVar(&f.settings.Header, "header", "X-Edge-Token", "header field with the secret, as the hook's auth has it")
	flags.IntVar(&f.settings.TimeoutSeconds, "timeout-seconds", 10, "how long Genesys waits for the answer, 1 to 60")
	flags.BoolVar(&f.settings.Replace, "replace", false, "remove an action with another input, and make it anew with a new ID")
	flags.BoolVar(&f.noTest, "no-test", false, "send no event")
	return cmd
}

func (f *actionFlags) run(cmd *cobra.Command, url string) error {
	a := f.settings
	var err error
	if a.Name, err = provision.Name(f.name); err != nil {
		return usage(fmt.Errorf("--name: %w", err))
	}
	if f.contractFile != "" {
		if cmd.Flags().Changed("contract") {
			return usage(errors.New("--contract and --contract-file exclude each other"))
		}
		a.Contract, err = contract.Load(f.contractFile)
	} else {
		a.Contract, err = contract.Builtin(f.contract)
	}
	if err != nil {
		return usage(err)
	}
	if a.Secret, err = secretFrom(f.secretFile, "--secret-file", envHookSecret); err != nil {
		return usage(err)
	}
	a.URL, a.Test = url, !f.noTest
	if err := a.Check(); err != nil {
		return usage(err)
	}
	return f.do(cmd, []string{a.Secret}, func(ctx context.Context, p *provision.Provisioner) (*provision.Report, error) {
		r, err := p.DataAction(ctx, a)
		if err == nil && r.Test != nil && !r.Test.OK {
			err = errors.New("everything is there, but the test did not get through to the edge: the answer above says why")
		}
		return r, err
	})
}

func newProvisionMessaging(c *genesysConn) *cobra.Command {
	var (
		f          = &setFlags{conn: c}
		secretFile string
		headers    []string
	)
	cmd := &cobra.Command{
		Use:   "open-messaging URL",
		Short: "Makes an Open Messaging integration that sends messages to the hook at URL",
		Long: `Makes an Open Messaging integration, and waits until Genesys has completed it. The
URL is https on port 443: Genesys calls no other.

The secret is that of the hook's auth hub_signature, of at least 16 characters. It
comes from --secret-file, or from ` + envHookSecret + ` in the environment, is
written each time, and is never printed, though Genesys repeats it.

` + permissionHelp(provision.JobOpenMessaging),
		Example: `  hookgate genesys provision open-messaging https://hooks.example.com/webhooks/genesys/open-messaging \
    --region eu-central-1 --secret-file /run/secrets/om_secret`,
		Args: oneArg("the URL of the hook, such as https://hooks.example.com/webhooks/genesys/open-messaging"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m := provision.OpenMessaging{URL: args[0]}
			var err error
			if m.Name, err = provision.Name(f.name); err != nil {
				return usage(fmt.Errorf("--name: %w", err))
			}
			for _, field := range headers {
				name, value, err := simulate.ParseHeader(field)
				if err != nil {
					return usage(fmt.Errorf("--header: %w", err))
				}
				if m.Headers == nil {
					m.Headers = make(map[string]string)
				}
				m.Headers[name] = value
			}
			if m.Secret, err = secretFrom(secretFile, "--secret-file", envHookSecret); err != nil {
				return usage(err)
			}
			if err := m.Check(); err != nil {
				return usage(err)
			}
			return f.do(cmd, []string{m.Secret}, func(ctx context.Context, p *provision.Provisioner) (*provision.Report, error) {
				return p.OpenMessaging(ctx, m)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&secretFile, "secret-file", "", "file with the secret to sign with (or the secret in "+envHookSecret+")")
	cmd.Flags().StringArrayVar(&headers, "header", nil, `header field "NAME: VALUE" that Genesys is to send; may be repeated; no place for a secret`)
	return cmd
}

// do does a job, and prints what became of it.
func (f *setFlags) do(cmd *cobra.Command, secrets []string, job func(context.Context, *provision.Provisioner) (*provision.Report, error)) error {
	client, err := f.conn.open()
	if err != nil {
		return err
	}
	defer client.Close()
	client.Hide(secrets...)
	ctx, done := interruptible(cmd)
	defer done()
	if f.dryRun {
		dry := provision.NewDryRun(client)
		_, err := job(ctx, provision.New(dry))
		return errors.Join(err, printChanges(cmd.OutOrStdout(), dry.Changes(), err == nil, f.conn.json))
	}
	report, err := job(ctx, provision.New(client))
	if perr := printSteps(cmd.OutOrStdout(), report, f.conn.json); perr != nil {
		return errors.Join(err, perr)
	}
	if err != nil && report.Changed() {
		return &ExitError{Code: exitPartial, Err: err}
	}
	return err
}

// printChanges prints what would be sent, and whether that is all.
func printChanges(w io.Writer, changes []provision.Change, all, asJSON bool) error {
	if asJSON {
		return printValue(w, struct {
			DryRun  bool               `json:"dry_run"`
			Changes []provision.Change `json:"changes"`
		}{true, append([]provision.Change{}, changes...)}) // a list of nothing is no null
	}
	for _, c := range changes {
		fmt.Fprintf(w, "%s %s\n", c.Method, shown(c.Path))
		if c.Body != nil {
			if err := printValue(w, c.Body); err != nil {
				return err
			}
		}
		fmt.Fprintln(w)
	}
	if len(changes) == 0 && all {
		fmt.Fprintln(w, "nothing would change")
	}
	return nil
}

func printSteps(w io.Writer, r *provision.Report, asJSON bool) error {
	if asJSON {
		if r.Steps == nil {
			r.Steps = []provision.Step{} // a list of nothing is no null
		}
		return printValue(w, r)
	}
	if len(r.Steps) == 0 {
		fmt.Fprintln(w, "there is nothing")
	} else {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "STATE\tKIND\tNAME\tID\tDETAILS")
		for _, s := range r.Steps {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.State, s.Kind, shown(s.Name), shown(s.ID), shown(orDash(s.Detail)))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if r.Test == nil {
		return nil
	}
	verdict := "the test got through to the edge"
	if !r.Test.OK {
		verdict = "the test failed: " + shown(r.Test.Error)
	}
	_, err := fmt.Fprintf(w, "\n%s\nevent:  %s\nanswer: %s\n", verdict, shown(orDash(r.Test.EventID)), shown(orDash(r.Test.Answer)))
	return err
}
