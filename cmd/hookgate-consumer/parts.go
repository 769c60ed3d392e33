package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/forward"
	"github.com/hookgate/hookgate/plugins/logger"
	"github.com/hookgate/hookgate/plugins/postgres"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
	"github.com/hookgate/hookgate/plugins/redis"
)

// part is what is started before the work and closed after it.
type part interface {
	Start() error
	Close(ctx context.Context) error
}

// source is a queue that events are taken from.
type source interface {
	hook.Source
	part
	Ready() error
}

// inbox is a store of the events that were processed.
type inbox interface {
	hook.Store
	part
}

// inboxTimeout bounds an operation of the inbox. Nobody waits for an answer
// here, so it is not as short as at the edge.
const inboxTimeout = time.Second

// scheme opens what URLs of one scheme name.
type scheme[T any] struct {
	name string
	open func(urls []string, s *settings, log *zap.Logger) (T, error)
}

// queues are the schemes that --queue knows.
func queues() []scheme[source] {
	return []scheme[source]{{"amqp", openRabbitMQ}, {"amqps", openRabbitMQ}}
}

// inboxes are the schemes that --inbox knows.
func inboxes() []scheme[inbox] {
	return []scheme[inbox]{
		{"redis", openRedis},
		{"rediss", openRedis},
		{"postgres", openPostgresInbox},
		{"postgresql", openPostgresInbox},
	}
}

// open opens what URLs name, by the scheme of the first.
func open[T any](flag string, schemes []scheme[T], urls []string, s *settings, log *zap.Logger) (t T, err error) {
	u, err := url.Parse(urls[0])
	if err != nil {
		return t, fmt.Errorf("--%s is not a URL; a reserved character in the user or the password must be percent-encoded", flag)
	}
	i := slices.IndexFunc(schemes, func(c scheme[T]) bool { return c.name == u.Scheme })
	if i < 0 {
		var known []string
		for _, c := range schemes {
			known = append(known, c.name)
		}
		return t, fmt.Errorf("--%s: its scheme is none of %s", flag, strings.Join(known, ", "))
	}
	if t, err = schemes[i].open(urls, s, log); err != nil {
		return t, fmt.Errorf("--%s: %w", flag, err)
	}
	return t, nil
}

func openRabbitMQ(urls []string, s *settings, log *zap.Logger) (source, error) {
	ends, err := rabbitmq.ParseURLs(urls...)
	if err != nil {
		return nil, err
	}
	o := rabbitmq.SourceOptions{
		Options: rabbitmq.Options{
			Servers: ends.Servers, Vhost: ends.Vhost, Prefix: s.prefix, Topology: rabbitmq.Topology(s.topology), Logger: log.Named("rabbitmq"),
		},
		Queue: s.name, Retry: s.retry,
	}
	if ends.Credentials != (rabbitmq.Credentials{}) {
		o.Credentials = func(context.Context) (rabbitmq.Credentials, error) {
			urls, err := resolveAll(s.queueAt)
			if err != nil {
				return rabbitmq.Credentials{}, err
			}
			now, err := rabbitmq.ParseURLs(urls...)
			return now.Credentials, err
		}
	}
	if ends.TLS {
		if o.TLS, err = s.tls(); err != nil {
			return nil, err
		}
	}
	return rabbitmq.NewSource(o)
}

func openRedis(urls []string, s *settings, log *zap.Logger) (inbox, error) {
	ends, err := redis.ParseURLs(urls...)
	if err != nil {
		return nil, err
	}
	o := redis.Options{
		Addrs: ends.Addrs, DB: ends.DB, Prefix: s.inboxPrefix, Inbox: true,
		Timeout: inboxTimeout, PoolSize: 2 * s.concurrency, Logger: log.Named("redis"),
	}
	switch {
	case s.sentinel != "":
		o.Mode, o.Master = redis.ModeSentinel, s.sentinel
	case len(ends.Addrs) > 1:
		o.Mode = redis.ModeCluster
	}
	if s.login != "" {
		if _, err := s.sentinelLogin(); err != nil {
			return nil, err
		}
		o.SentinelCredentials = func(context.Context) (redis.Credentials, error) { return s.sentinelLogin() }
	}
	if ends.Credentials != (redis.Credentials{}) {
		o.Credentials = func(context.Context) (redis.Credentials, error) {
			urls, err := resolveAll(s.inboxAt)
			if err != nil {
				return redis.Credentials{}, err
			}
			now, err := redis.ParseURLs(urls...)
			return now.Credentials, err
		}
	}
	if ends.TLS {
		if o.TLS, err = s.tls(); err != nil {
			return nil, err
		}
	}
	return redis.New(o)
}

// sentinelLogin reads the user and the password for sentinels as they are now.
func (s *settings) sentinelLogin() (c redis.Credentials, err error) {
	text := "@" + s.login
	if err := resolve(&text); err != nil {
		return c, err
	}
	var ok bool
	if c.Username, c.Password, ok = strings.Cut(text, ":"); !ok || c.Password == "" {
		return c, errors.New("what is in --inbox-sentinel-file is not of the form user:password")
	}
	return c, nil
}

// openPostgresInbox keeps what was processed in the table hookgate.claims. A
// file with the URL is read again for each connection.
func openPostgresInbox(urls []string, s *settings, log *zap.Logger) (inbox, error) {
	if len(urls) > 1 {
		return nil, errors.New("PostgreSQL takes one URL, in which several hosts may stand: postgres://a,b/database")
	}
	return postgres.NewStore(postgres.StoreOptions{
		DSN: func() (string, error) {
			dsn := s.inboxAt[0]
			return dsn, resolve(&dsn)
		},
		Durable: true, Timeout: inboxTimeout, Connections: 2 * s.concurrency, Logger: log.Named("postgres"),
	})
}

// openInbox returns nil for none, and where the handler has its own.
func openInbox(s *settings, log *zap.Logger) (inbox, error) {
	if len(s.inbox) == 0 || slices.Equal(s.inbox, []string{"none"}) {
		return nil, nil
	}
	return open("inbox", inboxes(), s.inbox, s, log)
}

func openHandler(s *settings, log *zap.Logger) (hook.Handler, error) {
	switch {
	case s.postgres != "":
		return openPostgres(s, log)
	case s.forward == "log":
		return logger.New(log)
	}
	cfg, err := s.tls()
	if err != nil {
		return nil, err
	}
	return forward.New(forward.Options{
		URL: s.forward, Timeout: s.timeout, Header: s.header, BearerFile: s.bearer, BasicFile: s.basic,
		TLS: cfg, Connections: s.concurrency,
	})
}

func openPostgres(s *settings, log *zap.Logger) (hook.Handler, error) {
	h, err := postgres.New(postgres.Options{
		DSN: func() (string, error) {
			dsn := s.postgres
			return dsn, resolve(&dsn)
		},
		Table: s.table, Timeout: s.timeout, Connections: s.concurrency, Logger: log.Named("postgres"),
	})
	if err != nil {
		return nil, fmt.Errorf("--postgres: %w", err)
	}
	return h, nil
}

// tls returns how servers are recognized.
func (s *settings) tls() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.ca == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("--ca: the file has no certificate")
	}
	return cfg, nil
}
