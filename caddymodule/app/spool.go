package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/embedded"
)

// Spool keeps on this node, in the embedded file of the data folder, what the
// queue cannot take, and forwards it when the queue can. An event that is kept
// so is answered 202 with "durability":"local": who loses the node before it is
// forwarded loses the event.
type Spool struct {
	// How large the data of the file may grow, in bytes. At 90 % of it nothing
	// more is kept, and events that the queue cannot take are answered 503.
	// Default: 4 GiB.
	MaxSize int64 `json:"max_size,omitempty"`

	// How many events are forwarded in a second at most. Default: 1000.
	Rate int `json:"rate,omitempty"`
}

// parseSpool reads
//
//	spool {
//		max_size <size>
//		rate     <events a second>
//	}
//
// of which the block may be left out.
func parseSpool(p **Spool) parse.Func {
	return func(d *caddyfile.Dispenser) error {
		s := new(Spool)
		*p = s
		if d.NextArg() {
			return d.ArgErr()
		}
		return parse.Block(d, map[string]parse.Func{
			"max_size": parseFileSize(&s.MaxSize),
			"rate":     parse.Count(&s.Rate),
		})
	}
}

// check holds the settings against what they can be.
func (s *Spool) check() error {
	switch {
	case s == nil:
		return nil
	case s.Rate < 0:
		return fmt.Errorf("spool: the rate %d is negative", s.Rate)
	}
	if err := checkFileSize(s.MaxSize); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// spoolHandle is one config's hold on a queue and on the file that its events
// are spooled in.
type spoolHandle struct {
	primary   hook.Queue
	queue     Handle // of primary
	file      *embeddedHandle
	spool     *accept.Spool
	forwarder *accept.Forwarder
	logger    *zap.Logger

	mu   sync.Mutex
	stop context.CancelFunc // nil until it forwards
	over bool               // it may not begin any more
	done chan struct{}      // closed when it does not forward any more
}

// open puts a spool before a queue. It takes over the queue's handle, also
// where it fails.
func (s *Spool) open(env Env, primary hook.Queue, queue Handle) (_ *spoolHandle, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, queue.Release())
		}
	}()
	file, err := acquire(env)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if file.maxSize = s.MaxSize; file.maxSize == 0 {
		file.maxSize = embedded.DefaultMaxSize
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Release())
		}
	}()
	logger := env.Logger.Named("spool")
	h := &spoolHandle{primary: primary, queue: queue, file: file, logger: logger, done: make(chan struct{})}
	if h.spool, err = accept.NewSpool(accept.SpoolOptions{
		Primary: primary, Local: file.db, Backlog: file.backlog, Logger: logger,
	}); err != nil {
		return nil, err
	}
	if h.forwarder, err = accept.NewForwarder(accept.ForwarderOptions{
		From: file.db, To: primary, Backlog: file.backlog, Logger: logger, Rate: s.Rate, Expect: h.Expect,
	}); err != nil {
		return nil, err
	}
	file.spools.Add(1)
	return h, nil
}

// Blocked implements blocker.
func (h *spoolHandle) Blocked() bool { return h.file.Blocked() }

// Expect implements Router.
func (h *spoolHandle) Expect(queue string, celery bool) {
	if r, ok := h.queue.(Router); ok {
		r.Expect(queue, celery)
	}
}

// Start implements Handle.
func (h *spoolHandle) Start() error {
	if err := h.file.Start(); err != nil {
		return err
	}
	return h.queue.Start()
}

// Running implements runner. It begins to forward, once nobody else does.
func (h *spoolHandle) Running() {
	h.file.Running()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop != nil || h.over {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	go func() {
		defer close(h.done)
		if h.file.turns.take(ctx, true) == nil {
			h.forwarder.Run(ctx)
			h.file.turns.give()
		}
	}()
}

// Stop implements stopper. What is on its way has two seconds to be confirmed.
func (h *spoolHandle) Stop() {
	h.mu.Lock()
	h.over = true
	stop := h.stop
	h.mu.Unlock()
	if stop != nil {
		stop()
		<-h.done
	}
}

// Release implements Handle.
func (h *spoolHandle) Release() error {
	h.Stop() // where a config has failed to start, nobody did
	if n := h.status(); h.file.spools.Add(-1) == 0 && n.Events+n.DeadLetters > 0 {
		h.logger.Warn("events are left on this node until a config runs that has this spool",
			zap.Int("events", n.Events), zap.Int("dead_letters", n.DeadLetters))
	}
	ctx, cancel := drainContext()
	defer cancel()
	return errors.Join(h.spool.Close(ctx), h.queue.Release(), h.file.Release())
}

// SpoolStatus is what one can see of a spool.
type SpoolStatus struct {
	Events      int           // that wait to be forwarded
	DeadLetters int           // that do
	Oldest      time.Duration // how long the oldest of them has been here
	Bytes       int64         // in use of the file
	MaxBytes    int64         // of which 90 % may be used
	Primary     error         // why the queue cannot be used, nil where it can
	Local       error         // why nothing can be kept here, nil where it can

	accept.BacklogStats
}

func (h *spoolHandle) status() SpoolStatus {
	s := h.file.db.Stats()
	st := SpoolStatus{
		Events: s.Ready + s.Due + s.InWork, DeadLetters: s.Dead,
		Bytes: s.UsedBytes, MaxBytes: s.MaxBytes,
		Primary: h.primary.Ready(), Local: h.file.db.Ready(),
		BacklogStats: h.file.backlog.Stats(),
	}
	st.Oldest = h.file.oldest()
	return st
}

// remarks say what an operator should know though events are taken.
func (s *SpoolStatus) remarks() (remarks []string) {
	n := s.Events + s.DeadLetters
	left := fmt.Sprintf("%d events, oldest %s, %s of %s used", n, s.Oldest.Round(time.Second), size(s.Bytes), size(s.MaxBytes))
	if s.PutOff > 0 {
		left += fmt.Sprintf(", %d of them were refused and are tried again", s.PutOff)
	}
	switch {
	case s.Primary != nil:
		remarks = append(remarks, fmt.Sprintf("queue: %v, spooling: %s", s.Primary, left))
	case n > 0:
		remarks = append(remarks, "queue: forwarding what was spooled: "+left)
	}
	if s.Local != nil {
		remarks = append(remarks, fmt.Sprintf("spool: %v", s.Local))
	}
	return remarks
}

func size(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// Interface guards
var (
	_ Router  = (*spoolHandle)(nil)
	_ blocker = (*spoolHandle)(nil)
	_ runner  = (*spoolHandle)(nil)
	_ stopper = (*spoolHandle)(nil)
)
