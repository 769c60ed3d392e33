package command

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/hookgate/hookgate/deadletter"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// lettersConn says where the dead letters are, and how they are shown.
type lettersConn struct {
	address, config, adapter string
	amqp                     amqpFlags
	json, values             bool
}

func (c *lettersConn) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.address, "address", "", "address of the admin API (default: that of the config, else localhost:2019)")
	flags.StringVarP(&c.config, "config", "c", "", "config file to read the address of the admin API from")
	flags.StringVarP(&c.adapter, "adapter", "a", "", "config adapter of that file")
	c.amqp.add(flags)
	flags.BoolVar(&c.json, "json", false, "print JSON, one object a line")
	flags.BoolVar(&c.values, "show-values", false, "show personal data: bodies, event IDs, addresses")
}

// open returns the desk, and what ends it.
func (c *lettersConn) open(cmd *cobra.Command, changes bool) (deadletter.Desk, func(), error) {
	byAdmin := false
	for _, name := range []string{"address", "config", "adapter"} {
		byAdmin = byAdmin || cmd.Flags().Changed(name)
	}
	if c.amqp.given() != "" && byAdmin {
		return nil, nil, usage(errors.New("--amqp works in RabbitMQ itself, --address and --config ask a process: use one of them"))
	}
	if c.amqp.given() != "" || !byAdmin && os.Getenv(amqpVariable) != "" {
		return c.openRabbitMQ(changes)
	}
	if cmd.Flags().Changed("prefix") {
		return nil, nil, usage(errors.New("--prefix is for --amqp"))
	}
	address, err := caddycmd.DetermineAdminAPIAddress(c.address, nil, c.config, c.adapter)
	if err != nil {
		return nil, nil, err
	}
	return &remoteDesk{address: address}, func() {}, nil
}

// openRabbitMQ returns the desk of the letters in RabbitMQ. Nothing is declared
// there: what is missing is for the program that needs it.
func (c *lettersConn) openRabbitMQ(changes bool) (deadletter.Desk, func(), error) {
	opts, err := c.amqp.options()
	if err != nil {
		return nil, nil, err
	}
	opts.Connections, opts.Channels = 1, 1
	q, err := rabbitmq.New(opts)
	if err != nil {
		return nil, nil, usage(err)
	}
	done := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = q.Close(ctx) // what was sent is confirmed, or is told as an error
	}
	if changes { // a look needs no connection to publish on
		if err := q.Start(); err != nil {
			return nil, nil, err
		}
	}
	return &deadletter.Local{Letters: rabbitLetters{q}}, done, nil
}

// rabbitLetters are the dead letters in RabbitMQ, with errors that say what to
// do.
type rabbitLetters struct{ *rabbitmq.Queue }

// Sweep implements hook.DeadLetters.
func (q rabbitLetters) Sweep(ctx context.Context, fn func(*hook.DeadLetter) hook.Verdict) error {
	begun := false
	err := q.Queue.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
		begun = true
		return fn(l)
	})
	if err != nil && !begun && ctx.Err() == nil {
		err = explainLook(err)
	}
	return err
}
