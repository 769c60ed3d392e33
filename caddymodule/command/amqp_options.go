package command

import (
	"context"
	"crypto/tls"
	"errors"
	"os"

	"github.com/spf13/pflag"

	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// add adds the flags of a command that speaks to RabbitMQ alone.
func (f *amqpFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "amqp", "", "`URL` of RabbitMQ, amqp[s]://user:password@host/vhost (default: "+amqpVariable+" in the environment)")
	flags.StringVar(&f.prefix, "prefix", rabbitmq.DefaultPrefix, "the prefix of exchanges and queues in RabbitMQ")
}

// options returns the settings of a connection. Its errors never quote the URL.
func (f *amqpFlags) options() (rabbitmq.Options, error) {
	url := f.url
	if url == "" {
		url = os.Getenv(amqpVariable)
	}
	if url == "" {
		return rabbitmq.Options{}, &ExitError{Code: exitUsage, Err: errors.New("--amqp URL is missing, and " + amqpVariable + " is not set")}
	}
	ends, err := rabbitmq.ParseURLs(url)
	if err != nil {
		return rabbitmq.Options{}, &ExitError{Code: exitUsage, Err: err}
	}
	opts := rabbitmq.Options{Servers: ends.Servers, Vhost: ends.Vhost, Prefix: f.prefix, Topology: rabbitmq.Passive}
	if ends.TLS {
		opts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if ends.Credentials != (rabbitmq.Credentials{}) {
		opts.Credentials = func(context.Context) (rabbitmq.Credentials, error) { return ends.Credentials, nil }
	}
	return opts, nil
}
