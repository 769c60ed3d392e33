package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/hookgate/hookgate/consumer"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// settings are what the command line and the environment say.
type settings struct {
	queue, inbox     []string
	queueAt, inboxAt []string // the same as they were given, where @FILE may stand
	inboxPrefix      string
	sentinel, login  string // the name of the master, and the file with what sentinels want
	forward          string
	postgres, table  string
	headers          []string
	bearer, basic    string
	timeout          time.Duration
	ca               string
	prefix, name     string
	topology         string
	retry            []time.Duration
	concurrency      int
	prefetch         int
	workLimit, grace time.Duration
	metrics          string
	logLevel         string
	json             bool

	header http.Header   // of headers
	traces bool          // spans are sent, as the environment says
	lease  time.Duration // of a claim in the inbox; no flag, and 0 for the default, but for tests
}

const intro = `Takes events from a queue, and sends each to an HTTP service, or writes it into
a table of PostgreSQL, once.

  hookgate-consumer --queue amqps://consumer@rabbitmq/hooks \
                    --forward https://crm.internal/hooks \
                    --inbox rediss://redis:6379/1

  hookgate-consumer --queue amqps://consumer@rabbitmq/hooks \
                    --postgres @/run/secrets/dsn --table hookgate.events

A 2xx means that the event is processed; 400, 410, 413, 415 and 422 make it a
dead letter at once; anything else is tried again, and is a dead letter after
the last --retry. While nothing at all gets through, one event at a time is
tried, and none counts an attempt.

The header Idempotency-Key is the event ID: a service that takes each once has
each effect once. With any other, a crash may repeat an effect. The inbox keeps
which events were processed, and drops their copies.

PostgreSQL gets an event and the record that it was processed in one
transaction: each exactly once, with no other inbox.

Each flag can also be given in the environment: HOOKGATE_QUEUE for --queue,
HOOKGATE_WORK_LIMIT for --work-limit. Several URLs are separated by white space
there. @FILE for a URL or a DSN stands for what is in the file, so that no
password is in the list of processes; user and password in it are read again for
each connection. OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_ variables of
OpenTelemetry send traces, by http/protobuf.

Flags:
`

const outro = `
On SIGTERM it takes nothing new, lets what is at work end within --grace, hands
back the rest, and ends. A second signal ends it at once.

Exit codes: 0 after a signal, 1 for a failure, 2 for a wrong command line.
`

// flags returns the flags, which write to s.
func flags(s *settings) *pflag.FlagSet {
	f := pflag.NewFlagSet("hookgate-consumer", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringArrayVar(&s.queue, "queue", nil, "`URL` of the queue, amqp[s]://[user[:password]@]host[:port][/vhost]; repeat it for the nodes of a cluster (required)")
	f.StringVar(&s.forward, "forward", "", "`URL` where events are sent, or the word log, which logs a line an event and sends nothing (this or --postgres is required)")
	f.StringVar(&s.postgres, "postgres", "", "`DSN` of the database where events are written, postgres://user@host/database; a file is read for each new connection")
	f.StringVar(&s.table, "table", "", "the `table` for --postgres, schema.table; the inbox is hookgate_inbox in the same schema")
	f.StringArrayVar(&s.inbox, "inbox", nil, "`URL` of what keeps which events were processed, redis[s]://[user[:password]@]host[:port][/db], repeated for the nodes of a cluster, or postgres://user@host/database; or the word none, and copies are processed too (required with --forward)")
	f.StringVar(&s.inboxPrefix, "inbox-prefix", "", "`prefix` of all keys of an inbox in Redis (default: none)")
	f.StringVar(&s.sentinel, "inbox-sentinel", "", "the `name` of the master in Redis, where the URLs of --inbox are those of its sentinels")
	f.StringVar(&s.login, "inbox-sentinel-file", "", "`file` with user:password, or :password, for sentinels that want one; read for each connection")
	f.DurationSliceVar(&s.retry, "retry", consumer.DefaultRetry(), "after which `times` a failed event is tried again, ascending and with commas")
	f.IntVar(&s.concurrency, "concurrency", 8, "events that are processed at once")
	f.IntVar(&s.prefetch, "prefetch", 32, "events that are taken from the queue and not settled yet")
	f.DurationVar(&s.workLimit, "work-limit", 5*time.Minute, "how long the processing of one event may take")
	f.DurationVar(&s.timeout, "timeout", 30*time.Second, "how long the service may take to answer")
	f.StringArrayVar(&s.headers, "header", nil, "a `header` to send, as in \"X-Team: voice\"; may be repeated")
	f.StringVar(&s.bearer, "bearer-file", "", "`file` with a token to send as Bearer credentials; read for each event")
	f.StringVar(&s.basic, "basic-file", "", "`file` with user:password to send as Basic credentials; read for each event")
	f.StringVar(&s.ca, "ca", "", "`file` of authorities in PEM, for all that is reached over TLS (default: the system's)")
	f.StringVar(&s.prefix, "prefix", rabbitmq.DefaultPrefix, "how the names of exchanges and queues begin")
	f.StringVar(&s.name, "queue-name", "", "the `queue` to consume (default: the prefix and .events)")
	f.StringVar(&s.topology, "topology", string(rabbitmq.Declare), "declare makes queues that are missing, passive only looks for them")
	f.StringVar(&s.metrics, "metrics", "", "`host:port` that answers /metrics, /healthz and /readyz (default: none)")
	f.DurationVar(&s.grace, "grace", 10*time.Second, "how long what is at work may take to end")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&s.json, "json", true, "log in JSON; --json=false is for people")
	return f
}

// variable returns the name of a flag in the environment.
func variable(flag string) string {
	return "HOOKGATE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// parse reads the command line, and then the environment for what it leaves
// out. It returns pflag.ErrHelp when it has answered the command line itself.
func parse(args []string, env func(string) (string, bool), stdout io.Writer) (*settings, error) {
	s := new(settings)
	f := flags(s)
	f.Usage = func() { fmt.Fprint(stdout, intro, f.FlagUsagesWrapped(100), outro) }
	version := f.Bool("version", false, "print the version")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if *version {
		fmt.Fprintln(stdout, "hookgate-consumer", buildVersion())
		return nil, pflag.ErrHelp
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("there are %d arguments that are no flags", f.NArg())
	}
	if err := fromEnvironment(f, env); err != nil {
		return nil, err
	}
	var err error
	if s.traces, err = tracingWanted(env); err != nil {
		return nil, err
	}
	return s, s.check()
}

// fromEnvironment sets the flags that the command line does not.
func fromEnvironment(f *pflag.FlagSet, env func(string) (string, bool)) (err error) {
	overruled := overruled(f)
	f.VisitAll(func(flag *pflag.Flag) {
		value, ok := env(variable(flag.Name))
		if flag.Changed || slices.Contains(overruled, flag.Name) || !ok || value == "" || flag.Name == "version" || err != nil {
			return
		}
		values := []string{value}
		if flag.Value.Type() == "stringArray" && flag.Name != "header" {
			values = strings.Fields(value)
		}
		for _, v := range values {
			if f.Set(flag.Name, v) != nil { // the error quotes it
				err = fmt.Errorf("%s in the environment is not what --%s takes%s", variable(flag.Name), flag.Name, suchAs(flag))
			}
		}
	})
	return err
}

// suchAs shows how a flag's value is written, by its default.
func suchAs(flag *pflag.Flag) string {
	if value := strings.Trim(flag.DefValue, "[]"); value != "" {
		return ", which is such as " + value
	}
	return ""
}

// overruled returns the flags of another handler than the one that the command
// line names: the environment may be that of an edge beside this.
func overruled(f *pflag.FlagSet) []string {
	switch {
	case f.Changed("forward"):
		return []string{"postgres", "table"}
	case f.Changed("postgres"):
		return []string{"forward", "inbox", "inbox-prefix", "inbox-sentinel", "inbox-sentinel-file"}
	}
	return nil
}

// check fills in what stands in files, and looks for what is missing.
func (s *settings) check() error {
	s.queueAt, s.inboxAt = s.queue, s.inbox
	var err error
	if s.queue, err = resolveAll(s.queueAt); err != nil {
		return err
	}
	if s.inbox, err = resolveAll(s.inboxAt); err != nil {
		return err
	}
	if err := resolve(&s.forward); err != nil {
		return err
	}
	switch {
	case len(s.queue) == 0:
		return errors.New("--queue is missing: the URL of the queue")
	case s.forward == "" && s.postgres == "":
		return errors.New("--forward or --postgres is missing: where events go, the URL of a service, log, or the DSN of a database")
	case s.forward != "" && s.postgres != "":
		return errors.New("--forward and --postgres are both there, on the command line or in the environment: events go to one of them")
	case s.postgres != "" && len(s.inbox) > 0:
		return errors.New("--inbox is there: with --postgres the inbox is a table beside --table, in the same transaction")
	case (s.postgres == "") != (s.table == ""):
		return errors.New("--postgres and --table are needed together")
	case s.postgres == "" && len(s.inbox) == 0:
		return errors.New("--inbox is missing: the URL of a Redis or a PostgreSQL, which keeps which events were processed. --inbox none does without, and processes copies of events too")
	case (s.inboxPrefix != "" || s.sentinel != "") && (len(s.inbox) == 0 || !strings.HasPrefix(s.inbox[0], "redis")):
		return errors.New("--inbox-prefix and --inbox-sentinel are for an --inbox in Redis")
	case s.login != "" && s.sentinel == "":
		return errors.New("--inbox-sentinel-file is for --inbox-sentinel, which is missing")
	case s.concurrency < 1 || s.prefetch < 1:
		return errors.New("--concurrency and --prefetch are at least 1")
	case s.workLimit <= 0 || s.timeout <= 0 || s.grace <= 0:
		return errors.New("--work-limit, --timeout and --grace are longer than 0")
	}
	s.header = http.Header{}
	for _, h := range s.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return errors.New("--header is not of the form \"Name: value\"")
		}
		s.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return nil
}

// resolve replaces @FILE by the content of the file.
func resolve(value *string) error {
	path, ok := strings.CutPrefix(*value, "@")
	if !ok {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if *value = strings.TrimSpace(string(b)); *value == "" {
		return fmt.Errorf("%s is empty", path)
	}
	return nil
}

// resolveAll returns values with the content of files in the place of each @FILE.
func resolveAll(values []string) ([]string, error) {
	all := slices.Clone(values)
	for i := range all {
		if err := resolve(&all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// buildVersion is the version that Go has put into this build. That of a checkout
// names its commit, and ends in +dirty where files were changed; it is (devel)
// where Go was told to leave that out.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
