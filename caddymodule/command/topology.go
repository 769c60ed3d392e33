package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// topologyFlags are those of the commands below topology.
type topologyFlags struct {
	amqp           amqpFlags
	retry          []time.Duration
	noRetry        bool
	queues, celery []string
	json           bool
	timeout        time.Duration
}

func newTopology() *cobra.Command {
	f := new(topologyFlags)
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Plans, makes and verifies what RabbitMQ needs",
		Long: `
Shows, makes or verifies the exchanges, queues and bindings that Hookgate needs
in RabbitMQ. The edge and the consumer make them by themselves, unless they are
told to be passive or their users may not. It reads no Caddyfile: what a config
says of names, queues and retries is given by flags.

Exit codes: 0 all is as it should be; 1 something is missing, could not be made
or is of another kind, or RabbitMQ did not answer; 2 the arguments make no sense.`,
	}
	flags := cmd.PersistentFlags()
	f.amqp.add(flags)
	flags.DurationSliceVar(&f.retry, "retry", rabbitmq.DefaultRetry(), "the `delays` of the consumer's retries, with commas")
	flags.BoolVar(&f.noRetry, "no-retry", false, "without the queues for retries: for events that another consumer takes")
	flags.StringSliceVar(&f.queues, "queue", nil, "a queue that a hook names with queue; may stand several times")
	flags.StringSliceVar(&f.celery, "celery", nil, "a queue that a hook names with format celery; may stand several times")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long RabbitMQ may take")
	cmd.AddCommand(
		f.command("plan", "Shows what there is to be, and asks nobody", func(_ context.Context, o rabbitmq.TopologyOptions) ([]rabbitmq.Entity, error) {
			return rabbitmq.Plan(o)
		}),
		f.command("verify", "Looks for what there is to be, and makes nothing", rabbitmq.Verify),
		f.command("apply", "Makes what is missing, and changes nothing that is there", rabbitmq.Apply),
	)
	return cmd
}

func (f *topologyFlags) command(name, short string, do func(context.Context, rabbitmq.TopologyOptions) ([]rabbitmq.Entity, error)) *cobra.Command {
	return &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  hookgate topology " + name + " --amqp amqp://localhost/hooks --queue crm",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := f.options(name == "plan")
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
			defer cancel()
			found, err := do(ctx, opts)
			if err != nil {
				return err
			}
			if f.json {
				err = printEntities(cmd.OutOrStdout(), found)
			} else {
				err = printTopology(cmd.OutOrStdout(), found, name == "plan")
			}
			return cmp.Or(err, unsettled(found, name))
		},
	}
}

// options are those for RabbitMQ. A plan needs no server.
func (f *topologyFlags) options(plan bool) (rabbitmq.TopologyOptions, error) {
	o := rabbitmq.TopologyOptions{Retry: f.retry, Queues: f.queues, Celery: f.celery}
	if f.noRetry {
		o.Retry = []time.Duration{}
	}
	if plan {
		o.Options = rabbitmq.Options{Servers: []rabbitmq.Server{{}}, Prefix: f.amqp.prefix}
		return o, nil
	}
	var err error
	o.Options, err = f.amqp.options()
	return o, err
}

// unsettled returns an error where a command has left something to do.
func unsettled(found []rabbitmq.Entity, command string) error {
	left := 0
	for i := range found {
		if !found[i].Settled() || command == "apply" && found[i].State == rabbitmq.Unknown {
			left++
		}
	}
	switch {
	case left == 0:
		return nil
	case command == "apply":
		return errors.New(counted(left, "entity is", "entities are") + " missing, different or unknown; the details say why")
	}
	return errors.New(counted(left, "entity is", "entities are") + " missing or different; hookgate topology apply makes those that are missing")
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func printEntities(w io.Writer, found []rabbitmq.Entity) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(found)
}

// printTopology prints a table. In a plan nothing has a state yet.
func printTopology(w io.Writer, found []rabbitmq.Entity, plan bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !plan {
		fmt.Fprint(t, "STATE\t")
	}
	fmt.Fprintln(t, "KIND\tNAME\tTYPE\tDETAILS")
	hidden := false
	for _, e := range found {
		if !plan {
			fmt.Fprintf(t, "%s\t", e.State)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", e.Kind, e.Name, orDash(e.Type), orDash(details(e)))
		hidden = hidden || e.Kind == "binding" && e.State == rabbitmq.Unknown
	}
	if hidden && !plan {
		fmt.Fprint(t, "\n"+noteBindings+"\n")
	}
	return t.Flush()
}

const noteBindings = "Bindings are unknown because they cannot be seen over AMQP: hookgate topology apply,\n" +
	"with a user who may configure, makes those that are missing, and rabbitmqctl\n" +
	"list_bindings shows those that are there."

// details is what a person wants to know of an entity beside its name.
func details(e rabbitmq.Entity) string {
	var parts []string
	if e.To != "" {
		parts = append(parts, fmt.Sprintf("%s -> %s", e.Key, e.To))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Arguments)) {
		parts = append(parts, fmt.Sprintf("%s=%s", name, e.Arguments[name]))
	}
	if e.Reason != "" {
		parts = append(parts, "("+e.Reason+")")
	}
	return strings.Join(parts, " ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
