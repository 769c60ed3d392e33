package command

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/caddymodule/admin"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
)

// driftFlags are those of contract drift.
type driftFlags struct {
	ask  queueFlags
	hook string
}

func newContractDrift() *cobra.Command {
	f := new(driftFlags)
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Shows how bodies have differed from their contracts",
		Long: `Shows where the bodies that the running process took have differed from their
contracts, of which kind, since when, and how often. There are no values: a
pointer has a star for a name that the contract does not have. It asks the
process through its admin API.

The process counts from its start. A reload loses nothing, a restart begins anew;
the metric hookgate_drift_total keeps what was before.

Exit codes: 0 it was shown, also where there is none; 1 the process did not
answer; 2 the arguments make no sense.`,
		Example: "  hookgate contract drift\n  hookgate contract drift --hook open-messaging --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer admin.Drift
			if _, err := f.ask.get(admin.DriftPath, nil, &answer); err != nil {
				return err
			}
			answer.Drift = slices.DeleteFunc(answer.Drift, func(d telemetry.Drift) bool {
				return f.hook != "" && d.Hook != f.hook
			})
			if f.ask.json {
				raw, err := json.Marshal(answer)
				if err != nil {
					return err
				}
				return printJSON(cmd.OutOrStdout(), append(raw, '\n'))
			}
			return printDrift(cmd.OutOrStdout(), &answer)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.ask.address, "address", "", "address of the admin API (default: that of the config, else localhost:2019)")
	flags.StringVarP(&f.ask.config, "config", "c", "", "config file to read the address of the admin API from")
	flags.StringVarP(&f.ask.adapter, "adapter", "a", "", "config adapter of that file")
	flags.BoolVar(&f.ask.json, "json", false, "print JSON")
	flags.StringVar(&f.hook, "hook", "", "only that of the hook of this name")
	return cmd
}

func printDrift(w io.Writer, answer *admin.Drift) error {
	since := answer.Since.Local().Format(time.DateTime)
	if len(answer.Drift) == 0 {
		_, err := fmt.Fprintf(w, "no drift since %s\n", since)
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "HOOK\tPOINTER\tKIND\tFIRST SEEN\tLAST SEEN\tCOUNT\n")
	for _, d := range answer.Drift {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%d\n", printable(d.Hook), printable(d.Pointer), printable(string(d.Kind)),
			d.First.Local().Format(time.DateTime), d.Last.Local().Format(time.DateTime), d.Count)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "since %s\n", since)
	return err
}
