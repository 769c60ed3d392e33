package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/checkup"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// doctorFlags are those of doctor.
type doctorFlags struct {
	config, adapter       string
	json, offline, strict bool
	timeout               time.Duration
	amqp                  []string
}

func newDoctor() *cobra.Command {
	f := new(doctorFlags)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Says whether a config and its servers are as they should be",
		Long: `
Reads a Caddyfile and says whether it, and the servers that it names, are as they
should be: what is public without auth, what would lose events, what RabbitMQ,
Redis and PostgreSQL have and let its users do. docs/doctor.md has every check.

It changes nothing, and prints no secret. Run it as the user that runs the
service, and where the service runs: files and rights are those that it sees.

The edge's user of RabbitMQ should not be able to see the settings of queues. With
--amqp, or ` + amqpVariable + ` in the environment, a user who may configure
compares them: amqp[s]://USER:PASSWORD@HOST/VHOST, of which user and password
count.

Exit codes: 0 all is well, or there are warnings only; 1 something fails, with
--strict also where there are warnings; 2 the command line is wrong, or the config
cannot be read; 3 nothing fails, and some checks could not be made.`,
		Example: "  hookgate doctor --config /etc/hookgate/Caddyfile\n  hookgate doctor --offline --strict --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "", "config file (default: Caddyfile in this folder)")
	flags.StringVarP(&f.adapter, "adapter", "a", "", "config adapter of that file (default: by its name)")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.offline, "offline", false, "ask no server")
	flags.BoolVar(&f.strict, "strict", false, "a warning is a failure")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "how long a server may take to answer one question")
	flags.StringArrayVar(&f.amqp, "amqp", nil, "`URL` with a user of RabbitMQ who may configure (default: "+amqpVariable+" in the environment)")
	return cmd
}

func (f *doctorFlags) run(cmd *cobra.Command) error {
	if f.timeout <= 0 {
		return &ExitError{Code: exitUsage, Err: fmt.Errorf("--timeout is a time above 0, not %s", f.timeout)}
	}
	opts := checkup.Options{Examination: app.Examination{Offline: f.offline, Timeout: f.timeout}}
	var err error
	if opts.Operator, err = f.operator(); err != nil {
		return err
	}
	config, err := loadConfig(cmd.InOrStdin(), f.config, f.adapter)
	if err != nil {
		return &ExitError{Code: exitUsage, Err: err}
	}
	report, err := checkup.Run(cmd.Context(), config, opts)
	if err != nil {
		return &ExitError{Code: exitUsage, Err: err}
	}
	write := report.WriteTable
	if f.json {
		write = report.WriteJSON
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	if code := report.ExitCode(f.strict); code != 0 {
		return &ExitError{Code: code}
	}
	return nil
}

// operator returns the credentials of the user who may configure, if there are
// any.
func (f *doctorFlags) operator() (func(context.Context) (rabbitmq.Credentials, error), error) {
	given := amqpFlags{urls: f.amqp, prefix: rabbitmq.DefaultPrefix}
	if !given.named() || f.offline {
		return nil, nil
	}
	o, err := given.options()
	if err != nil {
		return nil, err
	}
	if o.Credentials == nil {
		return nil, &ExitError{Code: exitUsage, Err: errors.New("--amqp: a user and a password are needed")}
	}
	return o.Credentials, nil
}
