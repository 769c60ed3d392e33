package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/genesys/live"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// Examination says what is to be looked at, and how.
type Examination struct {
	// Offline asks no server.
	Offline bool

	// Timeout bounds each question to a server.
	Timeout time.Duration

	// Queues and Celery are the queues that hooks name.
	Queues, Celery []string

	// Services are those of Genesys Cloud whose addresses hooks go by.
	Services []string

	// Storage is Caddy's, where the list of addresses is kept. Nil: it is not on
	// this machine.
	Storage live.Storage

	// Operator are the credentials of a user of RabbitMQ who may configure. Nil:
	// there are none.
	Operator func(context.Context) (rabbitmq.Credentials, error)
}

// Use is what a guest is used for.
type Use struct {
	Claims   bool            // a store: those of hooks
	Inbox    bool            // a store: those of a consumer
	Consumed bool            // a queue: by the consumer of this config
	Retry    []time.Duration // which has these tiers; nil for the default

	Concurrency int // of the consumer that a handler is for, 0 for the default
	Env         Env
}

// Examiner is what a guest may be beside: one that can say whether it is as it
// should be. It is provisioned, and was opened by nobody. It changes nothing.
type Examiner interface {
	Examine(ctx context.Context, x Examination, use Use) []doctor.Finding
}

// Examine looks at the app as it stands in a config; raw may be nil. What cannot
// be loaded is left out: loading the config tells.
func Examine(ctx context.Context, raw json.RawMessage, x Examination) ([]doctor.Finding, error) {
	a := new(App)
	if raw != nil {
		if err := caddy.StrictUnmarshalJSON(raw, a); err != nil {
			return nil, err
		}
	}
	a.logger = zap.NewNop()
	env, err := a.env()
	if err != nil {
		return nil, err
	}
	cctx, cancel := caddy.NewContext(caddy.Context{Context: ctx})
	defer cancel()
	e := &examination{ctx: ctx, Examination: x, env: env}
	e.notes.About = "consumer"

	inboxElsewhere := a.Consumer == nil || a.Consumer.InboxRaw != nil || a.Consumer.once()
	store, err := guest[StoreDriver](cctx, a, "StoreRaw", &a.StoreRaw)
	e.guest(store, err, Use{Claims: true, Inbox: !inboxElsewhere})
	queue, err := guest[QueueDriver](cctx, a, "QueueRaw", &a.QueueRaw)
	use := Use{Consumed: a.Consumer != nil}
	if c := a.Consumer; c != nil {
		for _, d := range c.Retry {
			use.Retry = append(use.Retry, time.Duration(d))
		}
	}
	e.guest(queue, err, use)
	e.consumer(cctx, a.Consumer, queue)
	if a.Genesys != nil {
		if err := a.Genesys.provision(); err != nil {
			e.errs = append(e.errs, err)
		} else {
			e.found = append(e.found, a.Genesys.examine(ctx, x)...)
		}
	}
	return append(e.found, e.notes.List...), errors.Join(e.errs...)
}

// examination is one on its way.
type examination struct {
	Examination
	ctx   context.Context
	env   Env
	notes doctor.Notes // on the consumer
	found []doctor.Finding
	errs  []error
}

// guest looks at one.
func (e *examination) guest(mod any, err error, use Use) {
	if err != nil {
		e.errs = append(e.errs, err)
		return
	}
	use.Env = e.env
	if x, ok := mod.(Examiner); ok {
		e.found = append(e.found, x.Examine(e.ctx, e.Examination, use)...)
	}
}

// consumer looks at what processes the events.
func (e *examination) consumer(ctx caddy.Context, c *Consumer, queue QueueDriver) {
	if c == nil {
		if _, local := queue.(*EmbeddedQueue); local {
			e.notes.Warn("consumer.missing", "nothing takes the events of the embedded queue", "add consumer { forward <url> }: no other process can take them")
		}
		return
	}
	if c.handlerName() == "log" {
		e.notes.Warn("consumer.handler", "it logs events, and then they are gone", "write forward <url> once there is somewhere to send them")
	} else {
		e.notes.OK("consumer.handler", c.handlerName())
	}
	mod, err := ctx.LoadModule(c, "HandlerRaw")
	e.guest(mod, err, Use{Concurrency: c.Concurrency})
	if c.InboxRaw != nil {
		mod, err := ctx.LoadModule(c, "InboxRaw")
		e.guest(mod, err, Use{Inbox: true})
	}
}

// handlerName is that of its guest.
func (c *Consumer) handlerName() string {
	var h struct{ Handler string }
	_ = json.Unmarshal(c.HandlerRaw, &h)
	return h.Handler
}

// once reports whether the handler has an inbox of its own.
func (c *Consumer) once() bool { return c.handlerName() == "postgres" }
