package rabbitmq

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// routes knows where events go.
type routes struct {
	names        Names
	events, dead *target
	tiers        []*target // in the order of their delays; only a Source has some

	mu    sync.RWMutex
	named map[destination]*route
}

// destination is a queue that a hook names.
type destination struct {
	queue  string
	celery bool
}

type route struct {
	target *target
	users  int
}

func newRoutes(n Names) *routes {
	r := &routes{
		names:  n,
		events: &target{exchange: n.Events, kind: amqp.ExchangeTopic, queue: n.EventsIn, key: "#", args: eventsArguments(n)},
		dead:   &target{exchange: n.DeadLetter, kind: amqp.ExchangeTopic, queue: n.Dead, key: "#", args: deadArguments()},
		named:  make(map[destination]*route),
	}
	r.events.missing.Store(&errUnchecked)
	r.dead.missing.Store(&errUnchecked)
	return r
}

// errUnchecked keeps messages back until the topology was looked at: an
// exchange that is not there costs everybody's channel.
var errUnchecked = errors.New("rabbitmq: exchange and queue were not looked for yet")

// routingKey returns the key that an event has in a topic exchange.
func routingKey(ev *hook.Event) string {
	if ev.RoutingKey != "" {
		return ev.RoutingKey
	}
	return ev.Hook
}

// of returns where an event goes, and under which routing key.
func (r *routes) of(ev *hook.Event) (*target, string) {
	if ev.Queue == "" {
		return r.events, routingKey(ev)
	}
	return r.lookup(destination{queue: ev.Queue, celery: ev.Task != ""}), ev.Queue
}

// lookup returns the target of a queue that a hook names, or named before a
// reload.
func (r *routes) lookup(d destination) *target {
	r.mu.RLock()
	known := r.named[d]
	r.mu.RUnlock()
	if known != nil {
		return known.target
	}
	return r.newTarget(d)
}

func (r *routes) newTarget(d destination) *target {
	exchange := r.names.Direct
	if d.celery {
		exchange = r.names.Celery
	}
	return &target{exchange: exchange, kind: amqp.ExchangeDirect, queue: d.queue, key: d.queue, foreign: true}
}

// at returns the target of a message that was published before, by its exchange
// and its routing key.
func (r *routes) at(exchange, key string) *target {
	switch exchange {
	case r.names.Events:
		return r.events
	case r.names.Direct, r.names.Celery:
		return r.lookup(destination{queue: key, celery: exchange == r.names.Celery})
	}
	return &target{exchange: exchange, queue: key, foreign: true}
}

// all returns the targets in the order in which they are to be made: what
// another refers to comes first.
func (r *routes) all() []*target {
	ts := append([]*target{r.dead, r.events}, r.tiers...)
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, d := range slices.SortedFunc(maps.Keys(r.named), func(a, b destination) int {
		return strings.Compare(a.queue, b.queue)
	}) {
		ts = append(ts, r.named[d].target)
	}
	return ts
}

// Expect says that events will be published to a queue by its name, as tasks of
// Celery or as they are, so that it is made or looked for. The returned
// function takes that back.
func (q *Queue) Expect(queue string, celery bool) (release func()) {
	r, d := q.routes, destination{queue, celery}
	r.mu.Lock()
	known := r.named[d]
	if known == nil {
		known = &route{target: r.newTarget(d)}
		known.target.missing.Store(&errUnchecked)
		r.named[d] = known
	}
	known.users++
	r.mu.Unlock()
	q.topology.suspect()
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if known.users--; known.users == 0 {
			delete(r.named, d)
		}
	})
}
