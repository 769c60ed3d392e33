package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/hook"
)

// Runtime is the store, the queue and the accepting core of one config. It
// outlives the config by the requests that are in flight when a reload
// replaces it: Caddy cleans up while they run.
type Runtime struct {
	Core  *accept.Core // for work of any kind, under a claim
	Gate  *accept.Gate // for events
	Store hook.Store
	Queue hook.Queue

	dataDir  string
	logger   *zap.Logger
	handles  []Handle
	router   Router       // nil where the queue has no others by name
	spool    *spoolHandle // nil without a spool
	ranges   *Ranges      // nil where the config does not ask for the addresses of Genesys
	consumer *consumption // nil without a consumer
	handover *handover
	linger   time.Duration // after a reload; see lingerFor

	started chan struct{} // closed by start
	tracing tracing

	mu     sync.Mutex
	users  int
	closed bool
	idle   chan struct{} // closed when it is closed and has no users
}

func newRuntime(sd StoreDriver, qd QueueDriver, env Env) (_ *Runtime, err error) {
	rt := &Runtime{dataDir: env.DataDir, logger: env.Logger, idle: make(chan struct{}), started: make(chan struct{}), handover: new(handover)}
	defer func() {
		if err != nil {
			err = errors.Join(err, rt.release())
		}
	}()
	var h Handle
	if rt.Store, h, err = sd.OpenStore(env); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	rt.handles = append(rt.handles, h)
	if rt.Queue, h, err = qd.OpenQueue(env); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	rt.handles = append(rt.handles, h)
	rt.router, _ = h.(Router)
	rt.spool, _ = h.(*spoolHandle)
	if rt.Core, err = accept.New(accept.Options{Store: rt.Store, Logger: env.Logger}); err != nil {
		return nil, err
	}
	rt.Gate, err = accept.NewGate(accept.GateOptions{Core: rt.Core, Store: rt.Store, Queue: rt.Queue})
	return rt, err
}

// Expect says that a hook will send events to a queue that it names, as tasks of
// Celery or as they are.
func (rt *Runtime) Expect(queue string, celery bool) error {
	if rt.router == nil {
		return errNoRouter
	}
	rt.router.Expect(queue, celery)
	return nil
}

func (rt *Runtime) start() error {
	for _, h := range rt.handles {
		if err := h.Start(); err != nil {
			return err
		}
	}
	rt.awaitDrivers()
	for _, s := range rt.handover.servers {
		warnOfStrays(rt.logger, s)
	}
	rt.linger = lingerFor(rt.handover.servers)
	rt.handover.onRunning(rt.running)
	close(rt.started)
	if reasons := rt.Unready(); len(reasons) > 0 {
		rt.logger.Warn("started, and not all of it can be used yet: it is tried again", zap.Strings("unready", reasons), zap.String("data_dir", rt.dataDir))
		return nil
	}
	rt.logger.Info("ready to take events", zap.String("data_dir", rt.dataDir))
	return nil
}

// connectTime is how long a config that starts waits for new connections. It is
// shorter than the time that a request has, which waits for it.
const connectTime = 300 * time.Millisecond

// awaitDrivers gives drivers that have just begun to connect the time that it
// takes, so that a reload which changes their settings refuses no event. One
// that is down is no obstacle.
func (rt *Runtime) awaitDrivers() {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !rt.connected() && time.Since(begin) < connectTime; {
		<-tick.C
	}
}

// connected reports whether every driver can be used, also one that another
// takes the place of.
func (rt *Runtime) connected() bool {
	return len(rt.Unready()) == 0 && (rt.spool == nil || rt.spool.primary.Ready() == nil)
}

// blocker is a Handle that may know before Start that Start will fail.
type blocker interface{ Blocked() bool }

// serve is told of each server that has hooks, before any app starts. Caddy
// starts apps in no order: a second process with the same Caddyfile would open
// its sockets beside those of the first, which the kernel allows, and would be
// given connections, before it finds that the other has the file and ends. So
// where that is known now, the server gets no socket.
//
// All routes of the server stand in it by then, loaded or not, so that hooks at one
// place are found without a start, too.
func (rt *Runtime) serve(s *caddyhttp.Server) error {
	if s == nil {
		return nil
	}
	if rt.handover.watch(s) {
		if err := CheckPlaces(s.Routes); err != nil {
			return fmt.Errorf("%w: give each hook a path or a host of its own", err)
		}
	}
	for _, h := range rt.handles {
		if b, ok := h.(blocker); ok && b.Blocked() {
			s.Listen = nil
		}
	}
	return nil
}

// runner is a Handle that wants to know that its config runs: another app of
// it may still fail to start after this one.
type runner interface{ Running() }

func (rt *Runtime) running() {
	for _, h := range rt.handles {
		if r, ok := h.(runner); ok {
			r.Running()
		}
	}
}

// stopper is a Handle that has work of its own, which ends when its config is
// stopped, while requests may still be in flight.
type stopper interface{ Stop() }

func (rt *Runtime) stop() {
	for _, h := range rt.handles {
		if s, ok := h.(stopper); ok {
			s.Stop()
		}
	}
}

// Enter keeps the runtime until Leave is called. Every request does so. Caddy
// starts apps in no order: a request that comes before this one is started
// waits for it, unless the config fails to start. After an error there is nothing
// to leave.
func (rt *Runtime) Enter(ctx context.Context) error {
	select {
	case <-rt.started:
	case <-rt.idle: // it never will be, or is over
	case <-ctx.Done():
		return &hook.Error{Code: hook.CodeStoreUnavailable, Err: errors.New("not started yet")}
	}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.closed {
		return hook.ErrDraining
	}
	rt.users++
	rt.tracing.note(ctx)
	return nil
}

// Farewell is called before an answer: where the config is about to be stopped, it
// tells the sender to open a new connection for its next request.
func (rt *Runtime) Farewell(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && rt.handover.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
}

// Leave lets the runtime go.
func (rt *Runtime) Leave() {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.users--
	rt.signalIdle()
}

// close lets nobody enter any more, and returns a channel that is closed when
// the last has left.
func (rt *Runtime) close() <-chan struct{} {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.closed = true
	rt.signalIdle()
	return rt.idle
}

func (rt *Runtime) signalIdle() {
	if rt.closed && rt.users == 0 {
		close(rt.idle)
	}
}

// retire ends the runtime once it is not needed any more: in a reload some
// time later, in a process that stops at once. There it does not wait for ever
// for the last request: http has drained by then, or has given up.
func (rt *Runtime) retire() error {
	if !caddy.Exiting() && rt.isStarted() {
		time.AfterFunc(rt.linger, func() {
			<-rt.close()
			if err := rt.end(); err != nil {
				rt.logger.Error("ending the hooks of an old config", zap.Error(err))
			}
		})
		return nil
	}
	ctx, cancel := drainContext()
	defer cancel()
	select {
	case <-rt.close():
	case <-ctx.Done():
		rt.logger.Warn("stopping with requests in flight")
	}
	return rt.end()
}

func (rt *Runtime) isStarted() bool {
	select {
	case <-rt.started:
		return true
	default:
		return false
	}
}

// end drains what is to be committed and gives up the drivers.
func (rt *Runtime) end() error {
	ctx, cancel := drainContext()
	defer cancel()
	return errors.Join(rt.Core.Close(ctx), rt.release())
}

func (rt *Runtime) release() error {
	var errs []error
	for _, h := range rt.handles {
		errs = append(errs, h.Release())
	}
	return errors.Join(errs...)
}

// Unready returns which parts cannot be used now and why, and nothing when
// events can be taken.
func (rt *Runtime) Unready() []string {
	var reasons []string
	if err := rt.Store.Ready(); err != nil {
		reasons = append(reasons, "store: "+err.Error())
	}
	if err := rt.Queue.Ready(); err != nil {
		reasons = append(reasons, "queue: "+err.Error())
	}
	if rt.ranges != nil {
		if err := rt.ranges.Ready(); err != nil {
			reasons = append(reasons, "allowlist: "+err.Error())
		}
	}
	return reasons
}

// Remarks returns what an operator should know though events are taken.
func (rt *Runtime) Remarks() (remarks []string) {
	if d, ok := rt.Store.(hook.Degrader); ok {
		if text := d.Degraded(); text != "" {
			remarks = append(remarks, "store: "+text)
		}
	}
	if rt.spool != nil {
		s := rt.spool.status()
		remarks = append(remarks, s.remarks()...)
	}
	if rt.ranges != nil {
		remarks = append(remarks, rt.ranges.remarks()...)
	}
	if rt.consumer != nil {
		remarks = append(remarks, rt.consumer.remarks()...)
	}
	return remarks
}

// ErrNoInspector means that the queue cannot be looked into.
var ErrNoInspector = errors.New("this queue cannot be looked into")

// Inspect runs fn on the queue, if it can be looked into.
func (rt *Runtime) Inspect(ctx context.Context, fn func(hook.Inspector) error) error {
	if err := rt.Enter(ctx); err != nil {
		return err
	}
	defer rt.Leave()
	in, ok := rt.primary().(hook.Inspector)
	if !ok {
		return ErrNoInspector
	}
	return fn(in)
}
