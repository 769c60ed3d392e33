// Package command is the command tree hookgate: what an operator types. It asks
// the running process through Caddy's admin API.
package command

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "hookgate",
		Short: "Looks into Hookgate, and tries it out",
		Long: `
The commands of Hookgate, the endpoint for webhooks from Genesys Cloud. Those
that look into a running process ask its admin API.`,
		CobraFunc: func(cmd *cobra.Command) {
			for _, newChild := range children {
				cmd.AddCommand(newChild())
			}
			runnable(cmd)
			callBy(cmd, cmp.Or(caddy.CustomBinaryName, "caddy")+" hookgate")
		},
	})
}

// children makes the commands of the tree.
var children = []func() *cobra.Command{newAlive, newQueue, newDeadLetters, newContract, newGenesys, newSimulate, newTopology, newStore, newDoctor}

// RegisterTop registers the commands of the tree at the top, beside Caddy's
// own, for a program that is Hookgate first.
func RegisterTop() {
	for _, newChild := range children {
		child := runnable(newChild())
		caddycmd.RegisterCommand(caddycmd.Command{
			Name:      child.Name(),
			Short:     child.Short,
			CobraFunc: func(cmd *cobra.Command) { adopt(cmd, child) },
		})
	}
}

// adopt makes cmd, which Caddy made, the same as ours.
func adopt(cmd, ours *cobra.Command) {
	cmd.Use, cmd.Short, cmd.Long, cmd.Example = ours.Use, ours.Short, ours.Long, ours.Example
	cmd.Args, cmd.RunE = ours.Args, ours.RunE
	cmd.Flags().AddFlagSet(ours.Flags())
	cmd.PersistentFlags().AddFlagSet(ours.PersistentFlags())
	cmd.SetFlagErrorFunc(usageError)
	cmd.AddCommand(ours.Commands()...)
}

// runnable makes a command, and those below it, print their errors as one
// sentence and end with the exit code of an ExitError: Caddy knows only exit
// codes of its own. Wrong usage ends with 2.
func runnable(cmd *cobra.Command) *cobra.Command {
	cmd.SetFlagErrorFunc(usageError)
	if cmd.Args == nil && cmd.Run == nil && cmd.RunE == nil {
		cmd.Args, cmd.RunE = noSuchChild, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return usageError(cmd, err)
			}
			return nil
		}
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error { return fail(cmd, run(cmd, args)) }
	}
	for _, child := range cmd.Commands() {
		runnable(child)
	}
	return cmd
}

// callBy writes the examples of a command, and of those below it, as they are
// typed in this program.
func callBy(cmd *cobra.Command, name string) {
	lines := strings.Split(cmd.Example, "\n")
	for i, line := range lines {
		if rest, ok := strings.CutPrefix(line, "  hookgate "); ok {
			lines[i] = "  " + name + " " + rest
		}
	}
	cmd.Example = strings.Join(lines, "\n")
	for _, child := range cmd.Commands() {
		callBy(child, name)
	}
}

// noSuchChild refuses the arguments of a command that only has others below it:
// cobra would print its help and end with 0, which a script takes for done.
func noSuchChild(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s has no command %q: see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
}

// oneArg wants one argument, and says which.
func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("give %s, and nothing else", what)
		}
		return nil
	}
}

// usageError is fail for arguments that make no sense.
func usageError(cmd *cobra.Command, err error) error {
	return fail(cmd, &ExitError{Code: exitUsage, Err: err})
}

// exitUsage is the exit code for arguments that make no sense.
const exitUsage = 2

// fail prints the error of a command, and turns it into Caddy's.
func fail(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	code := 1
	exit, ok := errors.AsType[*ExitError](err)
	if ok {
		code, err = exit.Code, exit.Err
	}
	if err != nil {
		cmd.PrintErrln("Error:", err)
	}
	if code == 1 {
		return errors.New("failed")
	}
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, nil)
}
