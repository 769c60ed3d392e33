package rabbitmq

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// lane is one channel in confirm mode. One goroutine writes; another takes
// what the server returns.
//
// A message without a queue is returned first and acknowledged then
// (https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed), and
// the library's reader passes on one after the other. Listening twice makes
// the reader wait, between the two, until the return was noted: who sees the
// acknowledgement sees the return too. The library's NotifyPublish would keep
// the order as well, but holds back all confirmations behind one that is late.
type lane struct {
	link   *link
	conn   *conn
	ch     *amqp.Channel
	id     string // unique, and the beginning of its messages' publish header
	in     chan *outgoing
	dead   chan struct{} // closed when nothing is written any more
	gone   chan struct{} // closed when its confirmations are not waited for any more
	closed chan *amqp.Error

	tally tally
	took  atomic.Bool  // a message was confirmed
	tried atomic.Int64 // when one was let through before that, Unix nanoseconds

	mu      sync.Mutex
	pending map[uint64]*outgoing
	refused map[*target]time.Time // since when it refuses everything, of those that do
}

// openLane opens a channel and puts it into confirm mode.
func openLane(l *link, c *amqp.Connection, nc *conn) (*lane, error) {
	ch, err := c.Channel()
	if err != nil {
		return nil, err
	}
	ln := &lane{
		link: l, conn: nc, ch: ch, id: newID(),
		in:      make(chan *outgoing, laneQueue),
		dead:    make(chan struct{}),
		gone:    make(chan struct{}),
		closed:  ch.NotifyClose(make(chan *amqp.Error, 1)),
		pending: make(map[uint64]*outgoing),
		refused: make(map[*target]time.Time),
	}
	first, second := ch.NotifyReturn(make(chan amqp.Return)), ch.NotifyReturn(make(chan amqp.Return))
	go func() {
		for r := range first {
			ln.note(r)
			<-second
		}
	}()
	if err := ch.Confirm(false); err != nil {
		_ = ch.Close()
		return nil, err
	}
	return ln, nil
}

// run writes until the channel is closed, or ctx ends. It returns why.
func (ln *lane) run(ctx context.Context) error {
	defer close(ln.dead)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for number := uint64(0); ; {
		select {
		case o := <-ln.in:
			// Requests that are about to publish get to it: what they write
			// goes out with it.
			runtime.Gosched()
			var err error
			if number, err = ln.writeBatch(o, number); err != nil {
				return err
			}
		case err := <-ln.closed:
			if err == nil {
				return errClosed
			}
			return err
		case now := <-tick.C:
			if ln.refuses(now) {
				ln.link.queue.inBackground(func() { ln.retire(stuckAfter) })
				return errRefusing
			}
			if ln.stuck(now) {
				close(ln.gone)
				// Close waits for the server, at most as long as the connection lasts.
				ln.link.queue.inBackground(func() { _ = ln.ch.Close() })
				return errStuck
			}
			if ln.forgets(now) {
				ln.link.queue.inBackground(func() { ln.retire(stallAfter) })
				return errForgotten
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeBatch writes what waits, and sends it to the socket at once.
func (ln *lane) writeBatch(o *outgoing, number uint64) (uint64, error) {
	ln.conn.cork()
	defer ln.conn.uncork()
	for n := 1; ; n++ {
		if o.take() {
			if err := ln.write(o, number+1); err != nil {
				return number, err
			}
			number++
		}
		if n == writeBatch {
			return number, nil
		}
		select {
		case o = <-ln.in:
		default:
			return number, nil
		}
	}
}

// write writes one message, under the next number. Its error ends the lane.
func (ln *lane) write(o *outgoing, number uint64) error {
	if ln.ch.IsClosed() {
		o.sent <- written{err: unavailable(errLost)}
		return amqp.ErrClosed
	}
	now := time.Now()
	if err := ln.link.ready(now); err != nil { // blocked since it was chosen
		o.sent <- written{err: unavailable(err)}
		return nil
	}
	o.msg.Headers[headerPublish] = ln.publishID(number)
	ln.remember(o, number, now)
	ln.link.queue.stats.published.Add(1)
	confirm, err := ln.ch.PublishWithDeferredConfirm(o.target.exchange, o.key, true, false, o.msg)
	if err != nil {
		ln.forget(o, number, false, now)
		o.sent <- written{err: lost(fmt.Errorf("rabbitmq: %w", err))}
		return err
	}
	o.sent <- written{number: number, confirm: confirm}
	return nil
}

// publishID names a message among all.
func (ln *lane) publishID(number uint64) string {
	var room [40]byte
	b := append(room[:0], ln.id...)
	b = append(b, '.')
	return string(strconv.AppendUint(b, number, 10))
}

// note remembers that a message came back.
func (ln *lane) note(r amqp.Return) {
	id, _ := r.Headers[headerPublish].(string)
	lane, digits, _ := strings.Cut(id, ".")
	number, err := strconv.ParseUint(digits, 10, 64)
	if lane != ln.id || err != nil {
		return
	}
	ln.mu.Lock()
	o := ln.pending[number]
	if o != nil { // as long as it is there it is no other message
		o.returned.Store(uint32(r.ReplyCode))
	}
	ln.mu.Unlock()
	if o != nil {
		ln.link.queue.topology.suspect()
	}
}

// remember begins the wait for a message's confirmation.
func (ln *lane) remember(o *outgoing, number uint64, now time.Time) {
	o.at = now
	ln.mu.Lock()
	ln.pending[number] = o
	ln.mu.Unlock()
	ln.tally.begin(now)
	o.target.tally.begin(now)
}

// forget ends it.
func (ln *lane) forget(o *outgoing, number uint64, settled bool, now time.Time) {
	ln.mu.Lock()
	delete(ln.pending, number)
	ln.mu.Unlock()
	ln.tally.end(settled, now)
	o.target.tally.end(settled, now)
}

// await waits for the outcome of a message that was put into the lane. retry
// means that it was not written and may go to another lane.
func (ln *lane) await(ctx context.Context, o *outgoing) (retry bool, err error) {
	dead := ln.dead
	for {
		select {
		case w := <-o.sent:
			return false, ln.confirmed(ctx, o, w)
		case <-dead:
			if o.abandon() {
				return true, nil
			}
			dead = nil // it was taken: the writer says what became of it
		case <-ctx.Done():
			if o.abandon() {
				return false, unavailable(errLate)
			}
			return false, &hook.InDoubt{Cause: context.Cause(ctx), Fate: ln.follow(o)}
		}
	}
}

// confirmed waits for the confirmation. After an error of nil the message is
// not to be touched: it may be another already.
func (ln *lane) confirmed(ctx context.Context, o *outgoing, w written) error {
	if w.err != nil {
		return w.err
	}
	select {
	case <-w.confirm.Done():
		err := ln.verdict(o, w)
		if err == nil {
			o.empty()
			ln.link.queue.spare.Put(o)
		}
		return err
	case <-ln.gone:
		return ln.verdict(o, w)
	case <-ctx.Done():
		o.sent <- w
		return &hook.InDoubt{Cause: context.Cause(ctx), Fate: ln.follow(o)}
	}
}

// follow waits, beyond the request, for what becomes of a message. The wait
// ends with the channel at the latest.
func (ln *lane) follow(o *outgoing) <-chan error {
	fate := make(chan error, 1)
	ln.link.queue.inBackground(func() {
		defer close(fate)
		w := <-o.sent
		err := w.err
		if err == nil {
			select {
			case <-w.confirm.Done():
			case <-ln.gone:
			}
			err = ln.verdict(o, w)
		}
		if _, doubt := err.(*hook.InDoubt); !doubt {
			fate <- err
			ln.link.queue.stats.late.Add(1)
		}
	})
	return fate
}

// verdict reads a confirmation: nil, a refusal, or *hook.InDoubt.
func (ln *lane) verdict(o *outgoing, w written) error {
	stats := &ln.link.queue.stats
	acked, code := w.confirm.Acked(), uint16(o.returned.Load())
	// The library resolves what is open when a channel closes as if it were
	// nacked, and marks the channel as closed before.
	open := !ln.ch.IsClosed() && !ln.isGone()
	ln.forget(o, w.number, acked || open, time.Now())
	switch {
	case code != 0:
		stats.returned.Add(1)
		return refused(returnError(code, o.target))
	case acked:
		stats.confirmed.Add(1)
		ln.took.Store(true)
		ln.tell(o.target, true)
		return nil
	case open:
		stats.nacked.Add(1)
		ln.tell(o.target, false)
		return refused(errNack)
	}
	stats.lost.Add(1)
	return lost(errLost)
}
