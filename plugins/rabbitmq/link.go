package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"
)

// link keeps one connection up, for ever, and the lanes on it.
type link struct {
	queue *Queue
	at    int // which server it is connected to, or tries; -1 before. The queue's mutex guards it

	conn    atomic.Pointer[conn]   // the socket of its connection
	blocked atomic.Pointer[string] // why the server takes nothing at present
	reason  atomic.Pointer[error]  // why there is no connection
}

func newLink(q *Queue) *link {
	l := &link{queue: q, at: -1}
	l.reason.Store(&errNotYet)
	return l
}

// run dials and serves until ctx ends.
func (l *link) run(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		s := l.queue.serverFor(l)
		served, err := l.session(ctx, s)
		if ctx.Err() != nil {
			return
		}
		if served {
			attempt = 0
		}
		l.queue.logger.Debug("no connection to RabbitMQ", zap.String("server", s.Addr), zap.Error(err))
		err = fmt.Errorf("rabbitmq: %w", &addressless{err})
		l.reason.Store(&err)
		l.queue.tell(err)
		l.queue.stats.failures.Add(1)
		if !pause(ctx, backoff(attempt)) {
			return
		}
	}
}

// backoff draws a wait from zero to a bound that doubles with each attempt
// ("full jitter"): edges that lost the same server do not come back at once.
func backoff(attempt int) time.Duration {
	bound := min(minBackoff<<min(attempt, 10), maxBackoff)
	return minBackoff/2 + rand.N(bound)
}

// pause waits, and reports false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// closeTimeout is how long a server may take to say goodbye.
const closeTimeout = 500 * time.Millisecond

// session serves one connection until it is lost or ctx ends. It reports
// whether the connection was ever used.
func (l *link) session(ctx context.Context, s Server) (served bool, err error) {
	c, nc, err := l.queue.dial(ctx, s)
	if err != nil {
		return false, err
	}
	closed := c.NotifyClose(make(chan *amqp.Error, 1))
	blocked := c.NotifyBlocked(make(chan amqp.Blocking, 8))
	l.conn.Store(nc)
	l.blocked.Store(nil)

	ctx, cancel := context.WithCancel(ctx)
	var lanes sync.WaitGroup
	defer func() {
		cancel()
		lanes.Wait()
		_ = c.CloseDeadline(time.Now().Add(closeTimeout))
		_ = nc.Close()
	}()
	// What the library waits for without a bound ends with the socket.
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(closeTimeout, func() { _ = nc.Close() })
	})
	defer stop()

	// The connection may be lost, or blocked, while the topology is looked at.
	checked := make(chan error, 1)
	lanes.Go(func() { checked <- l.queue.topology.check(ctx, c) })
	for {
		select {
		case err := <-checked:
			if err != nil {
				return served, err
			}
			served = true
			l.reason.Store(nil)
			for range l.queue.opts.Channels {
				lanes.Go(func() { l.serve(ctx, c, nc) })
			}
			lanes.Go(func() { l.queue.topology.watch(ctx, c) })
		case b, ok := <-blocked:
			if !ok {
				blocked = nil
				continue
			}
			l.block(b)
		case e := <-closed:
			if e == nil {
				return served, errClosed
			}
			return served, e
		case <-ctx.Done():
			return served, ctx.Err()
		}
	}
}

// block takes a notice that the server takes no messages, or takes them again
// (https://www.rabbitmq.com/docs/connection-blocked).
func (l *link) block(b amqp.Blocking) {
	if b.Active {
		l.blocked.Store(&b.Reason)
	} else {
		l.blocked.Store(nil)
	}
	l.queue.changed()
}

// serve keeps one lane open until its connection is lost or ctx ends. A channel
// that the server closes takes the others not with it.
func (l *link) serve(ctx context.Context, c *amqp.Connection, nc *conn) {
	for {
		ln, err := openLane(l, c, nc)
		if err == nil {
			l.queue.add(ln)
			err = ln.run(ctx)
			l.queue.remove(ln)
		}
		if c.IsClosed() || ctx.Err() != nil {
			return
		}
		l.queue.stats.channelsLost.Add(1)
		level := zap.WarnLevel
		if errors.Is(err, errRefusing) || errors.Is(err, errForgotten) { // as often as a queue is full, or stands still
			level = zap.DebugLevel
		}
		l.queue.logger.Log(level, "a channel to RabbitMQ has ended; opening another", zap.Error(err))
		l.queue.topology.lost(err)
		if !pause(ctx, backoff(0)) || l.queue.topology.check(ctx, c) != nil {
			return
		}
	}
}

// ready returns nil, or why nothing can be sent on it.
func (l *link) ready(now time.Time) error {
	if reason := l.reason.Load(); reason != nil {
		return *reason
	}
	if reason := l.blocked.Load(); reason != nil {
		return errors.New("rabbitmq: the server takes no messages: " + *reason)
	}
	if nc := l.conn.Load(); nc != nil && nc.silentFor(now) > silence {
		return errSilent
	}
	return nil
}
