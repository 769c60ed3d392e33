package rabbitmq

import (
	"context"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Depth is how much waits in RabbitMQ for a Source. Messages that were handed
// out and are not settled are not among them.
type Depth struct {
	Ready int // in the queue that is consumed
	Dead  int // dead letters
	Tiers []TierDepth

	// Oldest is an age that no event in the queue exceeds which was not tried
	// yet: that of the last one that was handed out, as the queue gives the
	// oldest first. 0 where there is none.
	Oldest time.Duration
}

// TierDepth is how many events wait in a retry tier.
type TierDepth struct {
	Delay  time.Duration
	Events int
}

// depthEvery is how often a Source asks.
const depthEvery = 5 * time.Second

// depth is what a Source knows of it.
type depth struct {
	every  time.Duration
	now    atomic.Pointer[Depth] // nil while it cannot be asked; without Oldest
	newest atomic.Int64          // when the youngest event came in that was handed out new, Unix nanoseconds
}

// handedOut notes an event that is to be handed out. Those that were tried before are older than what
// waits behind them.
func (d *depth) handedOut(dl *delivery) {
	if ev := dl.event; ev.Attempt > 0 || ev.Replay > 0 || dl.Redeliveries() > 0 || ev.ReceivedAt.IsZero() {
		return
	}
	at := dl.event.ReceivedAt.UnixNano()
	for was := d.newest.Load(); at > was && !d.newest.CompareAndSwap(was, at); was = d.newest.Load() {
	}
}

// Depth returns what was there some seconds ago. It reports false when that is
// not known, as where the user may not look: see unlessBlind for what it needs.
func (s *Source) Depth() (Depth, bool) {
	now := s.depth.now.Load()
	if now == nil {
		return Depth{}, false
	}
	d := *now
	if at := s.depth.newest.Load(); d.Ready > 0 && at > 0 {
		d.Oldest = max(0, time.Since(time.Unix(0, at)))
	}
	return d, true
}

// watchDepth asks now and then, until ctx or the connection ends.
func (s *Source) watchDepth(ctx context.Context, c *amqp.Connection) {
	defer s.depth.now.Store(nil)
	look := &surveyor{topology: s.queue.topology, conn: c}
	defer look.close()
	for {
		d := &Depth{}
		complete := s.count(look, s.name, &d.Ready) && s.count(look, s.queue.routes.dead.queue, &d.Dead)
		for _, t := range s.tiers {
			in := TierDepth{Delay: t.delay}
			if s.count(look, t.target.queue, &in.Events) { // else it is missing
				d.Tiers = append(d.Tiers, in)
			}
		}
		if c.IsClosed() {
			return
		}
		if complete {
			s.depth.now.Store(d)
		} else {
			s.depth.now.Store(nil)
		}
		if !pause(ctx, s.depth.every) {
			return
		}
	}
}

// count asks how many messages are ready in a queue, and reports whether it is
// there and may be looked at.
func (s *Source) count(look *surveyor, queue string, n *int) bool {
	return look.do(func(ch *amqp.Channel) error {
		in, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		*n = in.Messages
		return err
	}) == nil
}
