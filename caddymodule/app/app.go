// Package app is the hookgate app: the store and the queue that all hooks of a
// config share, and the accepting core over them.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/hook"
)

// Name is the name of the app, and of its global option.
const Name = "hookgate"

func init() {
	caddy.RegisterModule(new(App))
}

// App holds the store where claims live and the queue where accepted events
// wait. Both are embedded by default: one file in the data folder, nothing
// else installed.
//
// Its guests are in the namespaces hookgate.stores and hookgate.queues. What
// they connect to outlives a reload with equal settings.
type App struct {
	// The folder for what is kept on this node. It is made with the rights
	// 0700. Default: hookgate in Caddy's data folder.
	DataDir string `json:"data_dir,omitempty"`

	// The store: a module of the namespace hookgate.stores. Default: embedded.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=hookgate.stores inline_key=driver"`

	// The queue: a module of the namespace hookgate.queues. Default: embedded.
	QueueRaw json.RawMessage `json:"queue,omitempty" caddy:"namespace=hookgate.queues inline_key=driver"`

	// What processes the events of the queue in this process. Default: nothing;
	// they wait for a consumer of another process.
	Consumer *Consumer `json:"consumer,omitempty"`

	// How Genesys Cloud is asked for the addresses that it sends from. Default: it
	// is not asked.
	Genesys *Genesys `json:"genesys,omitempty"`

	runtime     *Runtime
	consumption *consumption // nil without a consumer
	logger      *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: Name, New: func() caddy.Module { return new(App) }}
}

// Env is what the app gives its guests.
type Env struct {
	DataDir     string // absolute
	Logger      *zap.Logger
	Concurrency int  // of the consumer that a handler is for, 0 for the default
	Inbox       bool // the store is an inbox, and nothing else
	Durable     bool // what the store has answered must outlive a crash of its server, as that of an inbox
}

// Handle is a config's hold on a driver.
type Handle interface {
	// Start connects. It may be called again.
	Start() error

	// Release gives the driver up; the last one to do so closes it.
	Release() error
}

// StoreDriver is a guest in hookgate.stores. OpenStore does not connect yet.
type StoreDriver interface {
	OpenStore(env Env) (hook.Store, Handle, error)
}

// QueueDriver is a guest in hookgate.queues. OpenQueue does not connect yet.
type QueueDriver interface {
	OpenQueue(env Env) (hook.Queue, Handle, error)
}

// Router is what the Handle of a queue may be beside: one whose events may go to
// queues that hooks name.
type Router interface {
	// Expect says that a hook will send events to a queue, as tasks of Celery
	// or as they are. It is called when hooks are provisioned.
	Expect(queue string, celery bool)
}

// Provision implements caddy.Provisioner. It connects to nothing and writes
// nothing. Of the embedded file it only looks whether another process has it,
// which takes half a second where one does: later is too late, because Caddy may
// open the sockets of its servers before it starts this app.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	if err := telemetry.Register(ctx, append(collectors(), consumerMetrics())...); err != nil {
		return err
	}
	env, err := a.env()
	if err != nil {
		return err
	}
	store, err := guest[StoreDriver](ctx, a, "StoreRaw", &a.StoreRaw)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	queue, err := guest[QueueDriver](ctx, a, "QueueRaw", &a.QueueRaw)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	ho, err := newHandover(ctx)
	if err != nil {
		return err
	}
	edge := env
	edge.Durable = a.Consumer != nil && a.Consumer.InboxRaw == nil // its inbox is the same
	if a.runtime, err = newRuntime(store, queue, edge); err != nil {
		return err
	}
	a.runtime.handover = ho
	if a.Genesys != nil {
		if a.runtime.ranges, err = a.Genesys.openRanges(ctx, env); err != nil {
			return err
		}
		a.runtime.ranges.started, a.runtime.ranges.ended = a.runtime.started, a.runtime.idle
		a.runtime.handles = append(a.runtime.handles, a.runtime.ranges)
	}
	if a.Consumer != nil {
		if a.consumption, err = a.Consumer.consumption(ctx, a, env, a.runtime, queue); err != nil {
			return fmt.Errorf("consumer: %w", err)
		}
		a.runtime.consumer = a.consumption
	}
	return nil
}

// guest loads the module of a field, the embedded one by default.
func guest[T any](ctx caddy.Context, a *App, field string, raw *json.RawMessage) (T, error) {
	var none T
	if *raw == nil {
		*raw = json.RawMessage(`{"driver":"embedded"}`)
	}
	mod, err := ctx.LoadModule(a, field)
	if err != nil {
		return none, err
	}
	driver, ok := mod.(T)
	if !ok {
		return none, fmt.Errorf("module of the type %T cannot be one", mod)
	}
	return driver, nil
}

// env resolves the data folder.
func (a *App) env() (Env, error) {
	dir := filepath.Join(caddy.AppDataDir(), Name)
	if a.DataDir != "" {
		var err error
		if dir, err = placeholder.Resolve(a.DataDir); err != nil {
			return Env{}, fmt.Errorf("data_dir: %w", err)
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Env{}, fmt.Errorf("data_dir: %w", err)
	}
	return Env{DataDir: dir, Logger: a.logger}, nil
}

// Start implements caddy.App.
func (a *App) Start() error {
	if err := a.runtime.start(); err != nil || a.consumption == nil {
		return err
	}
	return a.consumption.start()
}

// Stop implements caddy.App. It ends the consumer and what forwards events, and
// nothing else: requests may still be in flight, and are served. The runtime ends
// when the last has left, after Cleanup.
func (a *App) Stop() error {
	if a.consumption != nil {
		a.consumption.end()
	}
	a.runtime.stop()
	return nil
}

// Cleanup implements caddy.CleanerUpper.
func (a *App) Cleanup() error {
	if a.runtime == nil { // Provision failed before it was there
		return nil
	}
	var err error
	if a.consumption != nil {
		a.consumption.end() // where Start has failed, nobody has called Stop
		err = a.consumption.release()
	}
	return errors.Join(err, a.runtime.retire())
}

// Runtime returns what the hooks of this config work on.
func (a *App) Runtime() *Runtime { return a.runtime }

// Of returns the runtime of the config that a handler is provisioned in.
func Of(ctx caddy.Context) (*Runtime, error) {
	mod, err := ctx.App(Name)
	if err != nil {
		return nil, fmt.Errorf("hookgate app: %w", err)
	}
	rt := mod.(*App).runtime
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return rt, rt.serve(server)
}

// ErrNotRunning means that no running config has a hookgate app.
var ErrNotRunning = errors.New("no hook is configured")

// Active returns the runtime of the config that runs now. It is asked anew at
// each use: after a failed reload, what was found before may be the runtime of
// the config that failed.
func Active() (*Runtime, error) {
	mod, err := caddy.ActiveContext().AppIfConfigured(Name)
	if err != nil {
		return nil, ErrNotRunning
	}
	return mod.(*App).runtime, nil
}

// drainTime is how long a stopping process waits for requests that the server
// gave up, and for commits.
const drainTime = 2 * time.Second

func drainContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), drainTime)
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
