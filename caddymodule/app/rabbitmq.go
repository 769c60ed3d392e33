package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

func init() {
	caddy.RegisterModule(new(RabbitMQQueue))
}

// RabbitMQQueue keeps accepted events in RabbitMQ 3.10 or newer, in quorum
// queues, with publisher confirms. Connections outlive a reload with equal
// settings.
//
// A server that is down is no obstacle to starting: hooks answer 503
// queue_unavailable until it is there.
type RabbitMQQueue struct {
	// amqp[s]://[user[:password]@]host[:port][/vhost], with TLS for amqps: the
	// nodes of one cluster. All of it, or a part, may be a placeholder,
	// {env.NAME} or {file./path}; a password must be one. At least one is
	// required.
	URLs []string `json:"urls,omitempty"`

	// The user. Default: that of the URLs, else guest.
	Username string `json:"username,omitempty"`

	// The password: a placeholder, {env.NAME} or {file./path}. It is read anew
	// for each connection, so that a changed file needs no reload. Default:
	// that of the URLs, else guest.
	Password string `json:"password,omitempty"`

	// The name of the exchange for events, and the beginning of all other
	// names. Default: hookgate.
	Prefix string `json:"prefix,omitempty"`

	// declare: exchanges, queues and bindings are made where they are missing.
	// passive: they are looked for only, and made by the operators. Default:
	// declare.
	Topology string `json:"topology,omitempty"`

	// TLS, also for amqp. Default: for amqps alone, with the system's
	// authorities.
	TLS *TLS `json:"tls,omitempty"`

	// Keeps events on this node while RabbitMQ cannot take them, and forwards
	// them then. Default: such an event is answered 503.
	Spool *Spool `json:"spool,omitempty"`

	opts   rabbitmq.Options
	digest [sha256.Size]byte // of all settings
}

// CaddyModule returns the Caddy module information.
func (*RabbitMQQueue) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "hookgate.queues.rabbitmq",
		New: func() caddy.Module { return new(RabbitMQQueue) },
	}
}

// Provision implements caddy.Provisioner. It reads files and does not connect.
func (s *RabbitMQQueue) Provision(caddy.Context) error {
	if err := errors.Join(s.check(), s.Spool.check()); err != nil {
		return err
	}
	ends, _, err := s.resolve()
	if err != nil {
		return err
	}
	s.opts = rabbitmq.Options{Servers: ends.Servers, Vhost: ends.Vhost, Topology: rabbitmq.Topology(s.Topology)}
	if s.opts.Prefix, err = placeholder.Resolve(s.Prefix); err != nil {
		return fmt.Errorf("rabbitmq: prefix: %w", err)
	}
	var certs string
	if ends.TLS || s.TLS != nil {
		if s.opts.TLS, certs, err = s.TLS.config(); err != nil {
			return fmt.Errorf("rabbitmq: tls: %w", err)
		}
	}
	s.opts.Credentials = func(context.Context) (rabbitmq.Credentials, error) {
		_, c, err := s.resolve()
		return c, err
	}
	// The templates, and what stands in the places that are not read again.
	// The spool is not the connection's.
	connection := *s
	connection.Spool = nil
	all, err := json.Marshal([]any{&connection, ends.Servers, ends.Vhost, ends.TLS, s.opts.Prefix, certs})
	if err != nil {
		return err
	}
	s.digest = sha256.Sum256(all)
	_, err = rabbitmq.New(s.opts) // checks them
	return err
}

// rabbitQueues has the open queues by the digest of their settings: they stay
// open over a reload.
var rabbitQueues = caddy.NewUsagePool()

// rabbitEntry is an entry of rabbitQueues.
type rabbitEntry struct{ queue *rabbitmq.Queue }

// Destruct implements caddy.Destructor, when the last user has left.
func (e rabbitEntry) Destruct() error {
	ctx, cancel := drainContext()
	defer cancel()
	return e.queue.Close(ctx)
}

// OpenQueue implements QueueDriver.
func (s *RabbitMQQueue) OpenQueue(env Env) (hook.Queue, Handle, error) {
	queue, h, err := s.connect(env)
	if err != nil || s.Spool == nil {
		return queue, h, err
	}
	spooling, err := s.Spool.open(env, queue, h)
	if err != nil {
		return nil, nil, err
	}
	return spooling.spool, spooling, nil
}

// connect returns the queue that all with equal settings share.
func (s *RabbitMQQueue) connect(env Env) (hook.Queue, Handle, error) {
	v, _, err := rabbitQueues.LoadOrNew(s.digest, func() (caddy.Destructor, error) {
		opts := s.opts
		opts.Logger = lasting(env.Logger)
		queue, err := rabbitmq.New(opts)
		return rabbitEntry{queue}, err
	})
	if err != nil {
		return nil, nil, err
	}
	queue := v.(rabbitEntry).queue
	return queue, &rabbitHandle{queue: queue, digest: s.digest}, nil
}

// OpenSource implements SourceDriver.
func (s *RabbitMQQueue) OpenSource(env Env, retry []time.Duration) (hook.Source, Handle, error) {
	opts := rabbitmq.SourceOptions{Options: s.opts, Retry: retry}
	opts.Logger = env.Logger
	source, err := rabbitmq.NewSource(opts)
	if err != nil {
		return nil, nil, err
	}
	return source, rabbitSource{source}, nil
}

// rabbitSource is a config's own source: it ends with the config's consumer.
type rabbitSource struct{ *rabbitmq.Source }

// Start implements Handle.
func (s rabbitSource) Start() error {
	rabbitSources.add(s.Source)
	return s.Source.Start()
}

// Release implements Handle.
func (s rabbitSource) Release() error {
	rabbitSources.remove(s.Source)
	ctx, cancel := drainContext()
	defer cancel()
	return s.Close(ctx)
}

// rabbitHandle is one config's hold on a queue.
type rabbitHandle struct {
	queue  *rabbitmq.Queue
	digest [sha256.Size]byte

	mu       sync.Mutex
	expected []func() // take back what its hooks expect
}

// Start implements Handle.
func (h *rabbitHandle) Start() error { return h.queue.Start() }

// Release implements Handle.
func (h *rabbitHandle) Release() error {
	h.mu.Lock()
	for _, takeBack := range h.expected {
		takeBack()
	}
	h.expected = nil
	h.mu.Unlock()
	_, err := rabbitQueues.Delete(h.digest)
	return err
}

// Expect implements Router.
func (h *rabbitHandle) Expect(queue string, celery bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expected = append(h.expected, h.queue.Expect(queue, celery))
}

// Interface guards
var (
	_ QueueDriver       = (*RabbitMQQueue)(nil)
	_ SourceDriver      = (*RabbitMQQueue)(nil)
	_ Router            = (*rabbitHandle)(nil)
	_ caddy.Provisioner = (*RabbitMQQueue)(nil)
)
