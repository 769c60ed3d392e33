package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"
)

// Names are what the entities are called, all from one prefix.
type Names struct {
	Events     string // topic exchange for events
	EventsIn   string // quorum queue behind it
	DeadLetter string // topic exchange for dead letters
	Dead       string // quorum queue behind it
	Celery     string // direct exchange for Celery's tasks
	Direct     string // direct exchange for other queues that hooks name
	Retry      string // direct exchange for the tiers, and the beginning of their names
}

// NamesOf returns the names for a prefix.
func NamesOf(prefix string) Names {
	return Names{
		Events:     prefix,
		EventsIn:   prefix + ".events",
		DeadLetter: prefix + ".dlx",
		Dead:       prefix + ".dead",
		Celery:     prefix + ".celery",
		Direct:     prefix + ".direct",
		Retry:      prefix + ".retry",
	}
}

// Arguments of the queue for events. What it gives up goes to the dead letters,
// at least once (https://www.rabbitmq.com/docs/quorum-queues#dead-lettering),
// which needs reject-publish. The limit is what RabbitMQ 4 has by default.
func eventsArguments(n Names) amqp.Table {
	return amqp.Table{
		"x-queue-type":           "quorum",
		"x-delivery-limit":       int64(20),
		"x-dead-letter-exchange": n.DeadLetter,
		"x-dead-letter-strategy": "at-least-once",
		"x-overflow":             "reject-publish",
	}
}

// Arguments of the queue for dead letters, which nothing takes away but a
// person. Looking at a letter counts as a delivery: without a limit, RabbitMQ 4
// would drop it after 20 looks, and 3.10 takes -1 for none at all.
func deadArguments() amqp.Table {
	return amqp.Table{
		"x-queue-type":     "quorum",
		"x-delivery-limit": int64(1_000_000_000),
		"x-overflow":       "reject-publish",
	}
}

// topology makes, or looks for, exchanges, queues and bindings: when a
// connection is made, and when messages come back or an exchange is gone, at
// most once a second.
type topology struct {
	queue *Queue
	names Names

	suspected chan struct{} // something may be missing

	mu     sync.Mutex
	looked time.Time       // when the last look began
	doubt  bool            // something was suspected since
	warned map[string]bool // by entity
}

func newTopology(q *Queue) *topology {
	return &topology{
		queue:     q,
		names:     NamesOf(q.opts.Prefix),
		suspected: make(chan struct{}, 1),
		doubt:     true,
		warned:    make(map[string]bool),
	}
}

// suspect asks for a look. It never waits.
func (t *topology) suspect() {
	select {
	case t.suspected <- struct{}{}:
	default:
	}
}

// lost looks at why a channel was closed: where an exchange is not there,
// nothing more is sent to it, which would close the next channel too.
func (t *topology) lost(err error) {
	if !isCode(err, amqp.NotFound) {
		return
	}
	for _, target := range t.queue.targets() {
		if strings.Contains(err.Error(), "'"+target.exchange+"'") {
			missing := fmt.Errorf("rabbitmq: %w", err)
			target.missing.Store(&missing)
		}
	}
	t.suspect()
}

// watch looks again when it is asked to, and as long as something is missing.
func (t *topology) watch(ctx context.Context, c *amqp.Connection) {
	tick := time.NewTicker(topologyInterval)
	defer tick.Stop()
	for {
		select {
		case <-t.suspected:
			t.mu.Lock()
			t.doubt = true
			t.mu.Unlock()
		case <-tick.C:
			if !t.anyMissing() {
				continue
			}
			t.mu.Lock()
			t.doubt = true
			t.mu.Unlock()
		case <-ctx.Done():
			return
		}
		if t.check(ctx, c) != nil {
			return
		}
	}
}

func (t *topology) anyMissing() bool {
	for _, target := range t.queue.targets() {
		if target.missing.Load() != nil {
			return true
		}
	}
	return false
}

// check looks at everything, unless that was done a moment ago and nothing was
// suspected since. What is missing is noted with the targets; the error is
// that of the connection.
func (t *topology) check(ctx context.Context, c *amqp.Connection) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.doubt {
		return nil
	}
	if wait := topologyInterval - time.Since(t.looked); wait > 0 && !pause(ctx, wait) {
		return ctx.Err()
	}
	t.looked, t.doubt = time.Now(), false
	s := &surveyor{topology: t, conn: c}
	defer s.close()
	for _, target := range t.queue.targets() {
		err := s.look(target)
		if c.IsClosed() || ctx.Err() != nil {
			t.doubt = true
			return errors.Join(err, amqp.ErrClosed)
		}
		t.report(target, err)
	}
	return nil
}

// report notes and logs a change.
func (t *topology) report(target *target, err error) {
	before := target.missing.Load()
	if err == nil {
		target.missing.Store(nil)
		if before != nil && *before != errUnchecked {
			t.queue.logger.Info("RabbitMQ has what it lacked", zap.Stringer("target", target))
		}
	} else {
		err = fmt.Errorf("rabbitmq: %w", err)
		target.missing.Store(&err)
		if before == nil || (*before).Error() != err.Error() {
			t.queue.logger.Warn("RabbitMQ lacks something; messages for it are refused", zap.Stringer("target", target), zap.Error(err))
		}
	}
	t.queue.changed()
}

// warnOnce logs what is not as it should be and is used all the same.
func (t *topology) warnOnce(entity, text string, err error) {
	if t.warned[entity] {
		return
	}
	t.warned[entity] = true
	t.queue.logger.Warn(text, zap.String("entity", entity), zap.Error(err))
}
