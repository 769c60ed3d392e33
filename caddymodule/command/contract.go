package command

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/contract"
)

// newContract returns the command `contract`.
func newContract() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "contract",
		Short: "Holds bodies against contracts, and shows what has drifted",
		Long: `A contract is the shape of a hook's bodies: a JSON Schema with a manifest, which
says where the event ID is and what may be mended. docs/contracts.md has it all.`,
		Example: `  hookgate contract list
  hookgate contract show open-messaging
  hookgate contract check --contract open-messaging payloads/*.json
  hookgate contract drift`,
	}
	cmd.AddCommand(newContractList(), newContractShow(), newContractCheck(), newContractDrift())
	return cmd
}

func newContractList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the built-in contracts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			if !asJSON {
				fmt.Fprint(tw, "CONTRACT\tWHAT\n")
			}
			for _, name := range contract.Names() {
				c, err := contract.Builtin(name)
				if err != nil {
					return err
				}
				if asJSON {
					line := struct {
						Contract string `json:"contract"`
						Title    string `json:"title"`
					}{c.ID(), c.Title()}
					if err := printLine(cmd.OutOrStdout(), line); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(tw, "%s\t%s\n", c.ID(), c.Title())
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	return cmd
}

func newContractShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Prints a built-in contract, to begin one of your own with",
		Args:  oneArg("the name of a contract, such as pe-action-map"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := contract.Source(args[0])
			if err != nil {
				return usage(err)
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
}
