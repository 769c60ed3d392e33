package publish

import (
	"cmp"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
)

func init() {
	parse.RegisterHandler("webhook_publish", parseCaddyfile)
}

// parseCaddyfile sets up the handler. Syntax:
//
//	webhook_publish [<matcher>] {
//		ttl              <duration>
//		timeout          <duration>
//		on_conflict      park | reject
//		on_store_failure publish | reject
//		accepted_status  200 | 201 | 202
//		routing_key      <key>
//		queue            <name>
//		format           raw | celery <task> { queue <name> }
//	}
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	p, lines := new(Handler), make(parse.Lines)
	if err := p.unmarshal(h.Dispenser, lines); err != nil {
		return nil, err
	}
	return p, p.CheckOption(lines.At(h.Dispenser, "queue", "format"), h.Option(app.Name))
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return h.unmarshal(d, make(parse.Lines))
}

func (h *Handler) unmarshal(d *caddyfile.Dispenser, lines parse.Lines) error {
	d.Next() // the directive's own name
	if d.NextArg() {
		return d.ArgErr()
	}
	block := *d
	err := parse.Block(d, lines.Note(map[string]parse.Func{
		"ttl":              parse.Time(&h.TTL),
		"timeout":          parse.Time(&h.Timeout),
		"on_conflict":      parse.Word(&h.OnConflict, Park, Reject),
		"on_store_failure": parse.Word(&h.OnStoreFailure, Publish, Reject),
		"accepted_status":  parse.Checked(parse.Count(&h.AcceptedStatus), func() error { return (&Handler{AcceptedStatus: h.AcceptedStatus}).Validate() }),
		"routing_key":      h.ParseRoutingKey,
		"queue":            h.ParseQueue,
		"format":           h.ParseFormat,
	}))
	if err != nil {
		return err
	}
	return h.CheckTogether(&block, lines)
}

// CheckTogether refuses settings that do not go together. An error has the line of
// one of them, else that of the block.
func (h *Handler) CheckTogether(block *caddyfile.Dispenser, lines parse.Lines) error {
	if h.Queue != "" && h.RoutingKey != "" {
		return lines.At(block, "routing_key").Err("routing_key and a queue exclude each other: the queue's name is its key")
	}
	ttl, timeout := cmp.Or(time.Duration(h.TTL), DefaultTTL), cmp.Or(time.Duration(h.Timeout), DefaultTimeout)
	if lease := accept.Lease(timeout); ttl < lease {
		return lines.At(block, "ttl", "timeout").Errf("ttl: %s is shorter than the time for which an ID is taken while its event is, %s: with a timeout of %s it is at least that", ttl, lease, timeout)
	}
	return nil
}

// CheckOption refuses a queue by name where the queue of the global option
// hookgate has none. d is the place of the error.
func (h *Handler) CheckOption(d *caddyfile.Dispenser, option any) error {
	if h.Queue == "" {
		return nil
	}
	if err := app.CheckRouter(option); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// ParseRoutingKey reads where the queue sends the events.
func (h *Handler) ParseRoutingKey(d *caddyfile.Dispenser) error {
	return parse.Checked(parse.String(&h.RoutingKey), func() error { return (&Handler{RoutingKey: h.RoutingKey}).Validate() })(d)
}

// ParseQueue reads the name of the queue that gets the events.
func (h *Handler) ParseQueue(d *caddyfile.Dispenser) error {
	if h.Task != "" {
		return d.Err("queue: the queue of a Celery task stands in the block of format celery")
	}
	return h.readQueue(d)
}

func (h *Handler) readQueue(d *caddyfile.Dispenser) error {
	return parse.Checked(parse.String(&h.Queue), func() error { return (&Handler{Queue: h.Queue}).Validate() })(d)
}

// ParseFormat reads how the queue gets the events: raw, or celery with a task
// and a block that names its queue.
func (h *Handler) ParseFormat(d *caddyfile.Dispenser) error {
	var format string
	if err := parse.Word(&format, "raw", "celery")(d); err != nil || format == "raw" {
		return err
	}
	switch {
	case !d.NextArg() || d.Val() == "":
		return d.Err("format celery: the name of a task is missing")
	case h.Queue != "":
		return d.Err("format celery: the queue of a Celery task stands in this block")
	}
	task := d.Val()
	if d.NextArg() {
		return d.Errf("format celery: too many arguments, at %q", d.Val())
	}
	if err := parse.Block(d, map[string]parse.Func{"queue": h.readQueue}); err != nil {
		return err
	}
	if h.Queue == "" {
		return d.Err("format celery: it needs a block, on lines of its own, with the queue that the Celery worker consumes: queue <name>")
	}
	h.Task = task
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
