package command

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/spf13/pflag"

	"github.com/hookgate/hookgate/caddymodule/admin"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// amqpVariable names a RabbitMQ for all commands, with a password that the list
// of processes does not show.
const amqpVariable = "HOOKGATE_AMQP_URL"

// lookTimeout bounds a look into RabbitMQ.
const lookTimeout = 30 * time.Second

// amqpFlags say where a RabbitMQ is that is asked without the running process.
type amqpFlags struct {
	urls   []string // the nodes of a cluster
	prefix string
}

// add adds them to a command.
func (f *amqpFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.urls, "amqp", nil, "`URL` of a RabbitMQ to ask, amqp[s]://user:password@host/vhost; repeat it for the nodes of a cluster (default: "+amqpVariable+" in the environment, where white space separates several)")
	flags.StringVar(&f.prefix, "prefix", rabbitmq.DefaultPrefix, "the prefix of exchanges and queues in RabbitMQ")
}

// given returns the URLs on the command line, with spaces between them.
func (f *amqpFlags) given() string { return strings.Join(f.urls, " ") }

// named reports whether one is named.
func (f *amqpFlags) named() bool { return f.given() != "" || os.Getenv(amqpVariable) != "" }

// options are those of the RabbitMQ that the command line names, or the
// environment. No error quotes the URL.
func (f *amqpFlags) options() (rabbitmq.Options, error) {
	raw, name := f.given(), "--amqp"
	if raw == "" {
		raw, name = os.Getenv(amqpVariable), amqpVariable
	}
	usage := func(err error) error { return &ExitError{Code: exitUsage, Err: fmt.Errorf("%s: %w", name, err)} }
	if raw == "" {
		return rabbitmq.Options{}, &ExitError{Code: exitUsage, Err: fmt.Errorf("give the URL of RabbitMQ: --amqp, or %s in the environment", amqpVariable)}
	}
	urls, err := caddy.NewReplacer().ReplaceOrErr(raw, true, true)
	if err != nil {
		return rabbitmq.Options{}, usage(errors.New("a placeholder in it stands for nothing"))
	}
	ends, err := rabbitmq.ParseURLs(strings.Fields(urls)...)
	if err != nil {
		return rabbitmq.Options{}, usage(err)
	}
	o := rabbitmq.Options{Servers: ends.Servers, Vhost: ends.Vhost, Prefix: f.prefix, Role: "command", Topology: rabbitmq.Passive}
	if ends.Credentials != (rabbitmq.Credentials{}) {
		o.Credentials = func(context.Context) (rabbitmq.Credentials, error) { return ends.Credentials, nil }
	}
	if ends.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// direct returns the queue in RabbitMQ, if the command line or the environment
// names one. Whoever names a process on the command line means that.
func (f *queueFlags) direct() (*rabbitmq.Queue, error) {
	if f.address != "" || f.config != "" {
		if f.amqp.given() != "" {
			return nil, &ExitError{Code: exitUsage, Err: errors.New("--amqp looks into RabbitMQ itself, --address and --config ask a process: use one of them")}
		}
		return nil, nil
	}
	if !f.amqp.named() {
		return nil, nil
	}
	opts, err := f.amqp.options()
	if err != nil {
		return nil, err
	}
	q, err := rabbitmq.New(opts)
	if err != nil {
		return nil, &ExitError{Code: exitUsage, Err: err}
	}
	return q, nil
}

// counts asks RabbitMQ or the process how many events there are.
func (f *queueFlags) counts(ctx context.Context) (admin.Queue, json.RawMessage, error) {
	var answer admin.Queue
	q, err := f.direct()
	if err != nil {
		return answer, nil, err
	}
	if q == nil {
		raw, err := f.get(admin.QueuePath, nil, &answer)
		return answer, raw, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	n, err := q.Counts(ctx)
	if err != nil {
		return answer, nil, explainLook(err)
	}
	answer = admin.NewQueue(n)
	raw, err := marshalLine(answer)
	return answer, raw, err
}

// look are the options of peek.
type look struct {
	state  string
	after  uint64
	limit  int
	values bool
}

// peek asks RabbitMQ or the process for events.
func (f *queueFlags) peek(ctx context.Context, l look) (admin.Events, json.RawMessage, error) {
	var answer admin.Events
	q, err := f.direct()
	if err != nil {
		return answer, nil, err
	}
	if q == nil {
		raw, err := f.get(admin.EventsPath, l.query(), &answer)
		return answer, raw, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	entries, err := q.Peek(ctx, hook.QueueState(l.state), l.after, l.limit)
	if err != nil {
		return answer, nil, explainLook(err)
	}
	answer = admin.NewEvents(entries, l.values)
	raw, err := marshalLine(answer)
	return answer, raw, err
}

// marshalLine returns what the admin API would answer.
func marshalLine(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	return append(raw, '\n'), err
}

const (
	adviceRights = "use a user that may read the queues, such as hookgate-operator of deploy/rabbitmq/definitions.json: " +
		"set " + amqpVariable + "=amqps://USER:PASSWORD@HOST/VHOST, or --amqp"
	adviceTired = "each look counts as a delivery, and too many would make it a dead letter: leave it to the consumer. Dead letters may be looked at as often as you like"
)

// explainLook says what an error of RabbitMQ means, and what to do.
func explainLook(err error) error {
	e, fromServer := errors.AsType[*amqp.Error](err)
	switch {
	case errors.Is(err, rabbitmq.ErrMayNotRead):
		// RabbitMQ 4.2.6 and newer say so of a queue that is not there, too.
		return fmt.Errorf("this user may not read the queue; %s; or is the prefix (--prefix) another one?", adviceRights)
	case errors.Is(err, rabbitmq.ErrWouldTire):
		return fmt.Errorf("an event in the queue was delivered ten times or more: %s", adviceTired)
	case fromServer && e.Code == amqp.NotFound:
		return fmt.Errorf("%s: is the prefix (--prefix), or the virtual host at the end of the URL, another one?", printable(e.Reason))
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("RabbitMQ has not answered within %s", lookTimeout)
	}
	return fmt.Errorf("looking into RabbitMQ: %w", err)
}
