package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/caddymodule/admin"
	"github.com/hookgate/hookgate/hook"
)

// queueFlags are those of queue and of the commands below it.
type queueFlags struct {
	address, config, adapter string
	json                     bool
}

func newQueue() *cobra.Command {
	f := new(queueFlags)
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Shows how many events wait, and which",
		Long: `
Shows how many events the running process holds: ready to be processed, and
dead letters. It asks the process through its admin API.`,
		Example: "  hookgate queue\n  hookgate queue peek --state dead --limit 5",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var q admin.Queue
			raw, err := f.get(admin.QueuePath, nil, &q)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), raw)
			}
			return printCounts(cmd.OutOrStdout(), q)
		},
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.address, "address", "", "address of the admin API (default: that of the config, else localhost:2019)")
	flags.StringVarP(&f.config, "config", "c", "", "config file to read the address of the admin API from")
	flags.StringVarP(&f.adapter, "adapter", "a", "", "config adapter of that file")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	cmd.AddCommand(newPeek(f))
	return cmd
}

func newPeek(f *queueFlags) *cobra.Command {
	var (
		state  string
		after  uint64
		limit  int
		values bool
	)
	cmd := &cobra.Command{
		Use:   "peek",
		Short: "Looks at events without taking them",
		Long: `
Looks at events in the queue, oldest first. Nothing is taken and nothing
changes its place. Bodies hold personal data: they are shown only with
--show-values.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state != string(hook.StateReady) && state != string(hook.StateDead) {
				return &ExitError{Code: exitUsage, Err: fmt.Errorf("--state is %s or %s, not %q", hook.StateReady, hook.StateDead, state)}
			}
			if limit < 1 || limit > admin.MaxLimit {
				return &ExitError{Code: exitUsage, Err: fmt.Errorf("--limit is 1 to %d, not %d", admin.MaxLimit, limit)}
			}
			var events admin.Events
			raw, err := f.get(admin.EventsPath, url.Values{
				"state":  {state},
				"after":  {strconv.FormatUint(after, 10)},
				"limit":  {strconv.Itoa(limit)},
				"values": {strconv.FormatBool(values)},
			}, &events)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), raw)
			}
			return printEvents(cmd.OutOrStdout(), state, events.Events)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&state, "state", string(hook.StateReady), "which events: ready or dead")
	flags.IntVar(&limit, "limit", 20, fmt.Sprintf("how many events, 1 to %d", admin.MaxLimit))
	flags.Uint64Var(&after, "after", 0, "only events with a higher number")
	flags.BoolVar(&values, "show-values", false, "show the bodies too")
	return cmd
}

func printJSON(w io.Writer, raw json.RawMessage) error {
	_, err := fmt.Fprintf(w, "%s", visible(raw))
	return err
}

func printCounts(w io.Writer, q admin.Queue) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "STATE\tEVENTS\n")
	fmt.Fprintf(tw, "ready\t%d\n", q.Ready)
	fmt.Fprintf(tw, "dead\t%d\n", q.Dead)
	return tw.Flush()
}

func printEvents(w io.Writer, state string, events []admin.Event) error {
	if len(events) == 0 {
		_, err := fmt.Fprintf(w, "no %s events\n", state)
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "SEQ\tRECEIVED\tHOOK\tEVENT ID\tBYTES\tFAULT\n")
	for i := range events {
		ev := &events[i]
		fault := "-"
		if ev.Fault != nil {
			fault = string(ev.Fault.Kind) + ": " + printable(ev.Fault.Message)
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%d\t%s\n", ev.Seq,
			ev.ReceivedAt.Local().Format(time.DateTime), ev.Hook, printable(ev.EventID), ev.Size, fault)
		if len(ev.Body) > 0 {
			fmt.Fprintf(tw, "\t%s\n", visible(ev.Body))
		}
	}
	return tw.Flush()
}

// printable keeps a sender's ID from steering the terminal.
func printable(id string) string {
	quoted := strconv.Quote(id)
	return quoted[1 : len(quoted)-1]
}

// visible keeps a sender's body from steering the terminal: what cannot be seen
// is escaped, as JSON has it. Outside of strings JSON has nothing such but line
// ends.
func visible(raw json.RawMessage) string {
	var b strings.Builder
	for _, r := range string(raw) {
		switch {
		case unicode.IsPrint(r), r == '\n':
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}
