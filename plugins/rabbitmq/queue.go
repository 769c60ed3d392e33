package rabbitmq

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// Queue is RabbitMQ as a hook.Queue. It is safe for use by many goroutines.
type Queue struct {
	opts     Options
	logger   *zap.Logger
	topology *topology
	links    []*link
	routes   *routes
	stats    counters

	next   atomic.Uint64 // counts publishes, to take lanes in turn
	lanes  atomic.Pointer[[]*lane]
	server atomic.Uint64 // counts dials
	spare  sync.Pool     // *outgoing without a message, with an empty table for headers

	phase     atomic.Uint32
	mu        sync.Mutex // guards what follows, changes of the phase, and those of lanes
	stop      context.CancelFunc
	wasReady  bool
	begun     bool           // something was logged about that
	reason    string         // why not, as last logged
	reasonAt  time.Time      // and when
	work      sync.WaitGroup // the links
	followers sync.WaitGroup // waits for late confirmations; see inBackground
	ended     bool           // Close waits for the followers
	sweeping  sync.Mutex     // there is one sweep at a time
}

// phase is a part of a Queue's life.
type phase uint32

const (
	fresh phase = iota
	running
	closed
)

// New returns a Queue. It does not connect: Start does.
func New(opts Options) (*Queue, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	mathrand.Shuffle(len(opts.Servers), func(i, j int) {
		opts.Servers[i], opts.Servers[j] = opts.Servers[j], opts.Servers[i]
	})
	q := &Queue{opts: opts, logger: opts.Logger}
	q.routes = newRoutes(NamesOf(opts.Prefix))
	q.topology = newTopology(q)
	q.lanes.Store(new([]*lane))
	q.spare.New = func() any { return newOutgoing(nil, "", amqp.Publishing{Headers: make(amqp.Table, usualHeaders)}) }
	for range opts.Connections {
		q.links = append(q.links, newLink(q))
	}
	return q, nil
}

// Start begins to connect, and returns at once. It may be called again.
func (q *Queue) Start() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch phase(q.phase.Load()) {
	case closed:
		return errClosed
	case running:
		return nil
	}
	q.phase.Store(uint32(running))
	ctx, stop := context.WithCancel(context.Background())
	q.stop = stop
	for _, l := range q.links {
		q.work.Go(func() { l.run(ctx) })
	}
	return nil
}

// Close waits, as long as ctx allows, for what is not confirmed yet, and ends
// the connections. It may be called again.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	stop, before := q.stop, phase(q.phase.Swap(uint32(closed)))
	q.mu.Unlock()
	if before != running {
		return nil
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for q.Stats().Outstanding > 0 && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	stop()
	q.work.Wait() // bounded: sockets are closed
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.followers.Wait()
	return nil
}

// inBackground runs what Close waits for. A request that outlives Close may begin
// it later still, with nothing left to wait for: it must not count anew what is
// waited for already, which panics.
func (q *Queue) inBackground(fn func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		go fn()
		return
	}
	q.followers.Go(fn)
}

// nextServer returns the servers in turn.
func (q *Queue) nextServer() Server {
	return q.opts.Servers[int(q.server.Add(1)-1)%len(q.opts.Servers)]
}

// serverFor returns the server that a link is to connect to: the next in turn
// of those with the fewest other links. A node that dies takes not all of them
// with it, and one that comes back gets one again.
func (q *Queue) serverFor(l *link) Server {
	q.mu.Lock()
	defer q.mu.Unlock()
	others := make([]int, len(q.opts.Servers))
	for _, o := range q.links {
		if o != l && o.at >= 0 {
			others[o.at]++
		}
	}
	first := int(q.server.Add(1)-1) % len(others)
	l.at = first
	for i := range others {
		if n := (first + i) % len(others); others[n] < others[l.at] {
			l.at = n
		}
	}
	return q.opts.Servers[l.at]
}

// addresses returns those of all servers.
func (q *Queue) addresses() []string {
	all := make([]string, len(q.opts.Servers))
	for i, s := range q.opts.Servers {
		all[i] = s.Addr
	}
	return all
}

// add lets messages go to a lane.
func (q *Queue) add(ln *lane) {
	q.mu.Lock()
	lanes := append(slices.Clone(*q.lanes.Load()), ln)
	q.lanes.Store(&lanes)
	q.mu.Unlock()
	q.changed()
}

// remove lets nothing more go to a lane.
func (q *Queue) remove(ln *lane) {
	q.mu.Lock()
	lanes := slices.DeleteFunc(slices.Clone(*q.lanes.Load()), func(l *lane) bool { return l == ln })
	q.lanes.Store(&lanes)
	q.mu.Unlock()
	q.changed()
}

// changed logs when the queue becomes usable, and when it is not any more.
func (q *Queue) changed() { q.tell(nil) }

// tell is changed, with why there is no connection. A server that was not there
// from the beginning is told of too.
func (q *Queue) tell(reason error) {
	err := q.Ready()
	q.mu.Lock()
	news := q.wasReady != (err == nil) || !q.begun && reason != nil
	q.wasReady = err == nil
	q.begun = q.begun || news
	if err != nil && reason != nil {
		err = reason
	}
	// A server that came back may refuse us: that is told of once a minute.
	another := !news && err != nil && reason != nil && err.Error() != q.reason && time.Since(q.reasonAt) > time.Minute
	if err != nil && (news || another) {
		q.reason, q.reasonAt = err.Error(), time.Now()
	}
	q.mu.Unlock()
	switch {
	case q.started() != nil || !news && !another:
	case err == nil:
		q.logger.Info("RabbitMQ can be used")
	case another:
		q.logger.Warn("RabbitMQ still cannot be used, for another reason", zap.Error(err), zap.Strings("addresses", q.addresses()))
	default:
		q.logger.Warn("RabbitMQ cannot be used", zap.Error(err), zap.Strings("addresses", q.addresses()))
	}
}

// Ready implements hook.Queue.
func (q *Queue) Ready() error {
	now := time.Now()
	if err := q.connected(now); err != nil {
		return err
	}
	return q.routes.events.ready(now)
}

// started returns nil between Start and Close.
func (q *Queue) started() error {
	switch phase(q.phase.Load()) {
	case running:
		return nil
	case closed:
		return errClosed
	}
	return errNotStarted
}

// connected returns nil if a message can be written, or why not.
func (q *Queue) connected(now time.Time) error {
	if err := q.started(); err != nil {
		return err
	}
	for _, ln := range *q.lanes.Load() {
		if ln.link.ready(now) == nil {
			return nil
		}
	}
	var err error
	for _, l := range q.links {
		if err = l.ready(now); err != nil {
			return err
		}
	}
	return errNotYet
}

// Publish implements hook.Queue.
func (q *Queue) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	o, err := q.outgoing(&hook.Outgoing{Event: ev})
	if err != nil {
		return hook.Receipt{}, err
	}
	return hook.Receipt{}, q.send(ctx, o)
}

// Park implements hook.Queue.
func (q *Queue) Park(ctx context.Context, ev *hook.Event, f hook.Fault) (hook.Receipt, error) {
	o, err := q.outgoing(&hook.Outgoing{Event: ev, Fault: &f})
	if err != nil {
		return hook.Receipt{}, err
	}
	return hook.Receipt{}, q.send(ctx, o)
}

// send writes a message and waits for its confirmation.
func (q *Queue) send(ctx context.Context, o *outgoing) error {
	now := time.Now()
	if err := q.admit(o, now); err != nil {
		return unavailable(err)
	}
	for {
		ln, err := q.enqueue(o, now)
		if err != nil {
			return unavailable(err)
		}
		retry, err := ln.await(ctx, o)
		if !retry {
			return err
		}
		o, now = newOutgoing(o.target, o.key, o.msg), time.Now()
	}
}

// enqueue puts a message into a lane that can be used, and is the best of them.
func (q *Queue) enqueue(o *outgoing, now time.Time) (*lane, error) {
	lanes := *q.lanes.Load()
	// Some messages in a row to the same lane, which writes them at once.
	first := q.next.Add(1) / laneTurn
	usable := false
	for _, r := range [...]rank{proven, untried, stalled} {
		for i := range lanes {
			ln := lanes[(first+uint64(i))%uint64(len(lanes))]
			if ln.link.ready(now) != nil || ln.rank(now) != r {
				continue
			}
			usable = true
			select {
			case ln.in <- o:
				return ln, nil
			default:
			}
		}
	}
	if usable {
		return nil, errFull
	}
	if err := q.connected(now); err != nil {
		return nil, err
	}
	return nil, errNotYet
}

// targets returns everything that messages may be sent to.
func (q *Queue) targets() []*target { return q.routes.all() }

// newID returns a short random name.
func newID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// Interface guard
var _ hook.Queue = (*Queue)(nil)
