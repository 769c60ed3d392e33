package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
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
	flags.IntVar(&limit, "limit", 20, "how many events, at most 1000")
	flags.Uint64Var(&after, "after", 0, "only events with a higher number")
	flags.BoolVar(&values, "show-values", false, "show the bodies too")
	return cmd
}

// get asks the admin API, and decodes its answer.
func (f *queueFlags) get(path string, query url.Values, into any) (json.RawMessage, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(f.address, nil, f.config, f.adapter)
	if err != nil {
		return nil, err
	}
	if query != nil {
		path += "?" + query.Encode()
	}
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the admin API at %s: %w; is Hookgate running there? --address names another", address, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("asking the admin API at %s: %w", address, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return nil, fmt.Errorf("the admin API at %s answers something else: %w", address, err)
	}
	return raw, nil
}

func printJSON(w io.Writer, raw json.RawMessage) error {
	_, err := fmt.Fprintf(w, "%s", raw)
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
			fault = string(ev.Fault.Kind) + ": " + ev.Fault.Message
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%d\t%s\n", ev.Seq,
			ev.ReceivedAt.Local().Format(time.DateTime), ev.Hook, printable(ev.EventID), ev.Size, fault)
		if len(ev.Body) > 0 {
			fmt.Fprintf(tw, "\t%s\n", ev.Body)
		}
	}
	return tw.Flush()
}

// printable keeps a sender's ID from steering the terminal.
func printable(id string) string {
	quoted := strconv.Quote(id)
	return quoted[1 : len(quoted)-1]
}
