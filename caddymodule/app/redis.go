package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/redis"
)

func init() {
	caddy.RegisterModule(new(RedisStore))
}

// RedisStore keeps claims in Redis 6 or newer, or in Valkey, so that several
// edges share them. Connections outlive a reload with equal settings.
//
// A server that is down is no obstacle to starting. What hooks do while it is
// down is a setting of theirs. A server that may evict keys is warned of: set
// its maxmemory-policy to noeviction.
type RedisStore struct {
	// redis[s]://[user[:password]@]host[:port][/database], with TLS for rediss.
	// One for a single server; some of the nodes for a cluster; the sentinels
	// for sentinel. All of it, or a part, may be a placeholder, {env.NAME} or
	// {file./path}; a password must be one. At least one is required.
	URLs []string `json:"urls,omitempty"`

	// single, cluster or sentinel. Default: single.
	Mode string `json:"mode,omitempty"`

	// The name under which the sentinels know the servers. Required for
	// sentinel.
	Master string `json:"master,omitempty"`

	// The user. Default: that of the URLs, else the server's default user.
	Username string `json:"username,omitempty"`

	// The password: a placeholder, {env.NAME} or {file./path}. It is read anew
	// for each connection, so that a changed file needs no reload. Default:
	// that of the URLs.
	Password string `json:"password,omitempty"`

	// The user that the sentinels know, for sentinel. They are never sent the
	// other one. Default: the sentinels' default user.
	SentinelUsername string `json:"sentinel_username,omitempty"`

	// The password that the sentinels want: a placeholder, {env.NAME} or
	// {file./path}, read anew for each connection. Default: none.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// Put in front of each key. Default: none.
	Prefix string `json:"prefix,omitempty"`

	// TLS, also for redis. Default: for rediss alone, with the system's
	// authorities.
	TLS *TLS `json:"tls,omitempty"`

	// The store that is used while this one does not answer: a module of the
	// namespace hookgate.stores, such as postgres. It gets a copy of every
	// commit. Default: none; what hooks do is a setting of theirs.
	FallbackRaw json.RawMessage `json:"fallback,omitempty" caddy:"namespace=hookgate.stores inline_key=driver"`

	fallback StoreDriver // nil for none

	opts   redis.Options
	digest [sha256.Size]byte // of all settings
}

// CaddyModule returns the Caddy module information.
func (*RedisStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "hookgate.stores.redis",
		New: func() caddy.Module { return new(RedisStore) },
	}
}

// Provision implements caddy.Provisioner. It reads files and does not connect.
func (s *RedisStore) Provision(ctx caddy.Context) error {
	if err := errors.Join(s.check(), s.checkSentinels()); err != nil {
		return err
	}
	own := *s // what the connections depend on
	own.FallbackRaw = nil
	if s.FallbackRaw != nil {
		var err error
		if s.fallback, err = loadFallback(ctx, s); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
	}
	ends, creds, err := s.resolve()
	if err != nil {
		return err
	}
	s.opts = redis.Options{Mode: redis.Mode(s.Mode), Addrs: ends.Addrs, DB: ends.DB}
	for template, p := range map[*string]*string{&s.Master: &s.opts.Master, &s.Prefix: &s.opts.Prefix} {
		if *p, err = placeholder.Resolve(*template); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
	}
	var certs string
	if ends.TLS || s.TLS != nil {
		if s.opts.TLS, certs, err = s.TLS.config(); err != nil {
			return fmt.Errorf("redis: tls: %w", err)
		}
	}
	if creds != (redis.Credentials{}) {
		s.opts.Credentials = func(context.Context) (redis.Credentials, error) {
			_, c, err := s.resolve()
			return c, err
		}
	}
	if s.SentinelPassword != "" {
		if _, err := s.sentinelCredentials(ctx); err != nil {
			return err
		}
		s.opts.SentinelCredentials = s.sentinelCredentials
	}
	// The templates, and what stands in the places that are not read again.
	all, err := json.Marshal([]any{own, ends.Addrs, ends.DB, ends.TLS, s.opts.Master, s.opts.Prefix, certs})
	if err != nil {
		return err
	}
	s.digest = sha256.Sum256(all)
	_, err = redis.New(s.opts) // checks them
	return err
}

// redisStores has the open stores by their settings: they stay
// open over a reload.
var redisStores = caddy.NewUsagePool()

// redisKey is the key of redisStores.
type redisKey struct {
	digest [sha256.Size]byte
	inbox  bool
}

// redisEntry is an entry of redisStores.
type redisEntry struct{ store *redis.Store }

// Destruct implements caddy.Destructor, when the last user has left.
func (e redisEntry) Destruct() error {
	ctx, cancel := drainContext()
	defer cancel()
	return e.store.Close(ctx)
}

// OpenStore implements StoreDriver.
func (s *RedisStore) OpenStore(env Env) (hook.Store, Handle, error) {
	key := redisKey{s.digest, env.Inbox}
	v, _, err := redisStores.LoadOrNew(key, func() (caddy.Destructor, error) {
		opts := s.opts
		opts.Logger, opts.Inbox = lasting(env.Logger), env.Inbox
		if env.Inbox {
			opts.Timeout = inboxTimeout
		}
		store, err := redis.New(opts)
		return redisEntry{store}, err
	})
	if err != nil {
		return nil, nil, err
	}
	store := v.(redisEntry).store
	h := redisHandle{store, key}
	if s.fallback == nil {
		return store, h, nil
	}
	return withFallback(env, store, h, s.fallback)
}

// redisHandle is one config's hold on a store.
type redisHandle struct {
	store *redis.Store
	key   redisKey
}

// Start implements Handle.
func (h redisHandle) Start() error { return h.store.Start() }

// Release implements Handle.
func (h redisHandle) Release() error {
	_, err := redisStores.Delete(h.key)
	return err
}

// Interface guards
var (
	_ StoreDriver       = (*RedisStore)(nil)
	_ caddy.Provisioner = (*RedisStore)(nil)
)
