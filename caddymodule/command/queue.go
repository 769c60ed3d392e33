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

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/caddymodule/admin"
	"github.com/hookgate/hookgate/hook"
)

// queueFlags are those of queue and of the commands below it.
type queueFlags struct {
	address, config, adapter string
	json                     bool
	amqp                     amqpFlags
}

func newQueue() *cobra.Command {
	f := new(queueFlags)
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Shows how many events wait, and which",
		Long: `
Shows how many events the running process holds: ready to be processed, and
dead letters. It asks the process through its admin API. Where the queue has a
spool, it also shows what waits on this node to be forwarded.

With --amqp, or HOOKGATE_AMQP_URL in the environment, it looks into RabbitMQ
itself, with the rights of the user in that URL: the user of an edge should not
be able to read. The URL is amqp[s]://USER:PASSWORD@HOST[:PORT]/VHOST, or has
placeholders such as {file./run/secrets/rabbitmq_operator}. Queues that hooks
name are not counted then.

Exit codes: 0 it was shown; 1 the process or RabbitMQ did not answer, or
refused; 2 the arguments make no sense.`,
		Example: "  hookgate queue\n  hookgate queue peek --state dead --limit 5\n" +
			"  hookgate queue peek --amqp 'amqps://hookgate-operator:{file./run/secrets/operator}@rabbit/hooks'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, raw, err := f.counts(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				if err := printJSON(cmd.OutOrStdout(), raw); err != nil {
					return err
				}
				return missing(q)
			}
			return printQueue(cmd.OutOrStdout(), q)
		},
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.address, "address", "", "address of the admin API (default: that of the config, else localhost:2019)")
	flags.StringVarP(&f.config, "config", "c", "", "config file to read the address of the admin API from")
	flags.StringVarP(&f.adapter, "adapter", "a", "", "config adapter of that file")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	f.amqp.add(flags)
	cmd.AddCommand(newPeek(f))
	return cmd
}

func newPeek(f *queueFlags) *cobra.Command {
	var l look
	cmd := &cobra.Command{
		Use:   "peek",
		Short: "Looks at events without taking them",
		Long: `
Looks at events in the queue, oldest first. Nothing is taken and nothing
changes its place. Event IDs are always shown, and the addresses of clients in
JSON. Bodies are shown only with --show-values. All three are personal data.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.state != string(hook.StateReady) && l.state != string(hook.StateDead) {
				return &ExitError{Code: exitUsage, Err: fmt.Errorf("--state is %s or %s, not %q", hook.StateReady, hook.StateDead, l.state)}
			}
			if l.limit < 1 || l.limit > admin.MaxLimit {
				return &ExitError{Code: exitUsage, Err: fmt.Errorf("--limit is 1 to %d, not %d", admin.MaxLimit, l.limit)}
			}
			events, raw, err := f.peek(cmd.Context(), l)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), raw)
			}
			return printEvents(cmd.OutOrStdout(), l.state, events.Events)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&l.state, "state", string(hook.StateReady), "which events: ready or dead")
	flags.IntVar(&l.limit, "limit", 20, fmt.Sprintf("how many events, 1 to %d", admin.MaxLimit))
	flags.Uint64Var(&l.after, "after", 0, "only events with a higher number")
	flags.BoolVar(&l.values, "show-values", false, "show the bodies too")
	return cmd
}

// query asks the admin API for the same.
func (l look) query() url.Values {
	return url.Values{
		"state":  {l.state},
		"after":  {strconv.FormatUint(l.after, 10)},
		"limit":  {strconv.Itoa(l.limit)},
		"values": {strconv.FormatBool(l.values)},
	}
}

func printJSON(w io.Writer, raw json.RawMessage) error {
	_, err := fmt.Fprintf(w, "%s", visible(raw))
	return err
}

// missing is the error of an answer that has not all of it.
func missing(q admin.Queue) error {
	if q.Error == "" {
		return nil
	}
	return fmt.Errorf("the queue itself cannot be asked: %s", printable(q.Error))
}

// printQueue prints how many events there are, and how many of them are still
// on the way.
func printQueue(w io.Writer, q admin.Queue) error {
	if q.Counts != nil {
		if err := printCounts(w, q.Counts); err != nil {
			return err
		}
	}
	if q.Spool != nil {
		if err := printSpool(w, q.Spool); err != nil {
			return err
		}
	}
	return missing(q)
}

func printSpool(w io.Writer, s *admin.Spool) error {
	fmt.Fprintf(w, "\nON THIS NODE, to be forwarded\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "events\t%d\n", s.Events)
	fmt.Fprintf(tw, "dead letters\t%d\n", s.DeadLetters)
	if s.PutOff > 0 {
		fmt.Fprintf(tw, "refused, tried again\t%d\n", s.PutOff)
	}
	if s.Events+s.DeadLetters > 0 {
		fmt.Fprintf(tw, "oldest\t%s\n", time.Duration(s.OldestSeconds*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintf(tw, "file\t%s of %s\n", humanize.IBytes(uint64(max(0, s.Bytes))), humanize.IBytes(uint64(max(0, s.MaxBytes))))
	fmt.Fprintf(tw, "forwarded since the start\t%d\n", s.Forwarded)
	if s.Queue != "" {
		fmt.Fprintf(tw, "the queue\t%s\n", printable(s.Queue))
	}
	if s.Error != "" {
		fmt.Fprintf(tw, "the spool\t%s\n", printable(s.Error))
	}
	return tw.Flush()
}

func printCounts(w io.Writer, q *admin.Counts) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "STATE\tEVENTS\n")
	fmt.Fprintf(tw, "ready\t%d\n", q.Ready)
	if q.Due != nil && q.InWork != nil && *q.Due+*q.InWork > 0 {
		fmt.Fprintf(tw, "due\t%d\n", *q.Due)
		fmt.Fprintf(tw, "in work\t%d\n", *q.InWork)
	}
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
			fault = printable(string(ev.Fault.Kind)) + ": " + printable(ev.Fault.Message)
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%d\t%s\n", ev.Seq,
			ev.ReceivedAt.Local().Format(time.DateTime), printable(ev.Hook), printable(ev.EventID), ev.Size, fault)
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
