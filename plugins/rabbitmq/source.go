package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// SourceOptions are the settings of a Source.
type SourceOptions struct {
	Options

	// Queue is the queue that is consumed. Default: <prefix>.events.
	Queue string

	// Retry are the delays of its tiers, of at least a second. Default:
	// DefaultRetry.
	Retry []time.Duration
}

// Source is a queue in RabbitMQ as a hook.Source. It consumes on a connection
// of its own, because a server that takes no messages would take no
// acknowledgements on the same one, and publishes retries and dead letters
// with confirms on another. It connects anew for ever.
type Source struct {
	queue *Queue // for what it publishes
	name  string // of the queue that it consumes
	tiers []tier
	out   chan hook.Delivery

	prefetch atomic.Int64
	changed  chan struct{} // the prefetch
	reason   atomic.Pointer[error]
	depth    depth

	mu     sync.Mutex
	stop   context.CancelFunc
	closed bool
	ended  chan struct{} // closed by Close
	work   sync.WaitGroup
}

// NewSource returns a Source. It does not connect: Start does.
func NewSource(opts SourceOptions) (*Source, error) {
	opts.Connections, opts.Channels = 1, 1
	if opts.Role == "" {
		opts.Role = roleConsumer
	}
	q, err := New(opts.Options)
	if err != nil {
		return nil, err
	}
	s := &Source{
		queue: q, name: opts.Queue,
		out:     make(chan hook.Delivery),
		changed: make(chan struct{}, 1),
		ended:   make(chan struct{}),
	}
	s.prefetch.Store(1)
	s.depth.every = depthEvery
	s.reason.Store(&errNotYet)
	if s.name == "" {
		s.name = q.routes.names.EventsIn
	}
	if opts.Retry == nil {
		opts.Retry = DefaultRetry()
	}
	for _, d := range opts.Retry {
		if err := CheckRetry(d); err != nil {
			return nil, err
		}
	}
	if len(opts.Retry) == 0 {
		return nil, errors.New("rabbitmq: a source needs at least one retry")
	}
	q.routes.events.source = true
	s.tiers = newTiers(q.routes.names, s.name, opts.Retry)
	for _, t := range s.tiers {
		q.routes.tiers = append(q.routes.tiers, t.target)
	}
	return s, nil
}

// Start begins to connect, and returns at once. It may be called again.
func (s *Source) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if s.stop != nil {
		return nil
	}
	if err := s.queue.Start(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.work.Go(func() { s.run(ctx) })
	return nil
}

// Close ends the connections. What was handed out and not settled is handed out
// again by the server.
func (s *Source) Close(ctx context.Context) error {
	s.mu.Lock()
	stop, first := s.stop, !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		return nil
	}
	close(s.ended)
	if stop == nil {
		return nil
	}
	stop()
	s.work.Wait() // bounded: sockets are closed
	return s.queue.Close(ctx)
}

// Ready returns nil while events can be consumed and settled, or why not.
func (s *Source) Ready() error {
	if reason := s.reason.Load(); reason != nil {
		return *reason
	}
	return s.queue.Ready()
}

// Receive implements hook.Source.
func (s *Source) Receive(ctx context.Context) (hook.Delivery, error) {
	select {
	case d := <-s.out:
		return d, nil
	case <-s.ended:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Prefetch implements hook.Source. n is at least 1.
func (s *Source) Prefetch(n int) {
	if s.prefetch.Swap(int64(max(n, 1))) == int64(max(n, 1)) {
		return
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// run dials and consumes until ctx ends.
func (s *Source) run(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		server := s.queue.nextServer()
		begin := time.Now()
		err := s.session(ctx, server)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > maxBackoff {
			attempt = 0
		}
		err = fmt.Errorf("rabbitmq: %s: %w", server.Addr, err)
		s.reason.Store(&err)
		s.queue.logger.Warn("consuming from RabbitMQ was interrupted", zap.Error(err))
		if !pause(ctx, backoff(attempt)) {
			return
		}
	}
}

// session consumes on one connection until it is lost or ctx ends.
func (s *Source) session(ctx context.Context, server Server) error {
	c, nc, err := s.queue.dial(ctx, server)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var pumps sync.WaitGroup
	defer func() {
		cancel()
		_ = c.CloseDeadline(time.Now().Add(closeTimeout))
		_ = nc.Close()
		pumps.Wait()
	}()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(closeTimeout, func() { _ = nc.Close() }) })
	defer stop()
	if err := s.queue.topology.check(ctx, c); err != nil {
		return err
	}
	pumps.Go(func() { s.watchDepth(ctx, c) })
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := ch.NotifyCancel(make(chan string, 1))
	for tag := ""; ; {
		if tag, err = s.consume(ctx, ch, tag, &pumps); err != nil {
			if isCode(err, amqp.NotFound) {
				s.queue.topology.suspect()
			}
			return err
		}
		s.reason.Store(nil)
		select {
		case <-s.changed:
		case err := <-closed:
			if err == nil {
				return errClosed
			}
			return err
		case <-cancelled: // the queue was deleted, or its leader is gone
			s.queue.topology.suspect()
			return errCancelled
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// consume begins to consume with the prefetch of now, and ends the consumer of
// before, which had another: a prefetch counts for consumers to come.
func (s *Source) consume(ctx context.Context, ch *amqp.Channel, before string, pumps *sync.WaitGroup) (tag string, err error) {
	if err := ch.Qos(int(s.prefetch.Load()), 0, false); err != nil {
		return "", err
	}
	if before != "" {
		if err := ch.Cancel(before, false); err != nil {
			return "", err
		}
	}
	tag = newID()
	deliveries, err := ch.Consume(s.name, tag, false, false, false, false, nil)
	if err != nil {
		return "", err
	}
	pumps.Go(func() {
		for d := range deliveries {
			next := newDelivery(s, &d)
			s.depth.handedOut(next)
			select {
			case s.out <- next:
			case <-ctx.Done(): // the server hands it out again
			}
		}
	})
	return tag, nil
}

// tierFor returns the shortest tier that is long enough, or the longest.
func (s *Source) tierFor(after time.Duration) tier {
	for _, t := range s.tiers {
		if t.delay >= after {
			return t
		}
	}
	return s.tiers[len(s.tiers)-1]
}

// Interface guard
var _ hook.Source = (*Source)(nil)
