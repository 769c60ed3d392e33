package app

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/redis"
)

// EventFallback is the name of the Caddy event when a store is left for its
// fallback, and when it is used again. Its data has "on", true or false.
const EventFallback = "hookgate_fallback"

// loadFallback loads the store that is used while another one is down.
func loadFallback(ctx caddy.Context, s *RedisStore) (StoreDriver, error) {
	mod, err := ctx.LoadModule(s, "FallbackRaw")
	if err != nil {
		return nil, fmt.Errorf("fallback: %w", err)
	}
	driver, ok := mod.(StoreDriver)
	if !ok {
		return nil, fmt.Errorf("fallback: module of the type %T cannot be one", mod)
	}
	if other, ok := mod.(*RedisStore); ok && other.fallback != nil {
		return nil, errors.New("fallback: a fallback has no fallback of its own")
	}
	return driver, nil
}

// fallbacks has the pairs of stores that are open. The stores are those of
// their own pools: of equal settings there is one.
var fallbacks = caddy.NewUsagePool()

// fallbackKey is the key of fallbacks.
type fallbackKey struct{ primary, secondary hook.Store }

// fallbackEntry is an entry of fallbacks.
type fallbackEntry struct{ store *accept.Fallback }

// Destruct implements caddy.Destructor, when the last user has left. The stores
// are still open.
func (e fallbackEntry) Destruct() error {
	ctx, cancel := drainContext()
	defer cancel()
	return e.store.Close(ctx)
}

// withFallback puts a store behind another one. It takes the hold on the first,
// whatever it returns.
func withFallback(env Env, primary hook.Store, first Handle, driver StoreDriver) (_ hook.Store, _ Handle, err error) {
	held := []Handle{first}
	defer func() {
		if err != nil {
			err = errors.Join(err, releaseAll(held))
		}
	}()
	secondary, second, err := driver.OpenStore(env)
	if err != nil {
		return nil, nil, fmt.Errorf("fallback: %w", err)
	}
	held = append(held, second)
	key := fallbackKey{primary, secondary}
	v, _, err := fallbacks.LoadOrNew(key, func() (caddy.Destructor, error) {
		opts := accept.FallbackOptions{
			Primary: primary, Secondary: secondary, Logger: lasting(env.Logger), OnChange: announce,
			Ignore: func(err error) bool { return errors.Is(err, redis.ErrForeign) },
		}
		if env.Inbox {
			opts.Timeout = inboxTimeout
		}
		f, err := accept.NewFallback(opts)
		return fallbackEntry{f}, err
	})
	if err != nil {
		return nil, nil, err
	}
	return v.(fallbackEntry).store, &fallbackHandle{key: key, stores: held}, nil
}

// announce emits the event, to whoever has subscribed to it in the config that
// runs.
func announce(onFallback bool) {
	go func() {
		ctx := caddy.ActiveContext()
		mod, err := ctx.AppIfConfigured("events")
		if err != nil {
			return
		}
		if events, ok := mod.(*caddyevents.App); ok {
			events.Emit(ctx, EventFallback, map[string]any{"on": onFallback})
		}
	}()
}

// fallbackHandle is one config's hold on a pair of stores.
type fallbackHandle struct {
	key    fallbackKey
	stores []Handle
}

// Start implements Handle.
func (h *fallbackHandle) Start() error {
	for _, s := range h.stores {
		if err := s.Start(); err != nil {
			return err
		}
	}
	return nil
}

// Blocked implements blocker.
func (h *fallbackHandle) Blocked() bool {
	for _, s := range h.stores {
		if b, ok := s.(blocker); ok && b.Blocked() {
			return true
		}
	}
	return false
}

// Running implements runner.
func (h *fallbackHandle) Running() {
	for _, s := range h.stores {
		if r, ok := s.(runner); ok {
			r.Running()
		}
	}
}

// Release implements Handle.
func (h *fallbackHandle) Release() error {
	_, err := fallbacks.Delete(h.key)
	return errors.Join(err, releaseAll(h.stores))
}

func releaseAll(handles []Handle) error {
	var errs []error
	for _, h := range handles {
		errs = append(errs, h.Release())
	}
	return errors.Join(errs...)
}

// Interface guards
var (
	_ Handle  = (*fallbackHandle)(nil)
	_ blocker = (*fallbackHandle)(nil)
	_ runner  = (*fallbackHandle)(nil)
)
