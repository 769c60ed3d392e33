package publish

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

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
	p := new(Handler)
	return p, p.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own name
	if d.NextArg() {
		return d.ArgErr()
	}
	err := parse.Block(d, map[string]parse.Func{
		"ttl":              parse.Time(&h.TTL),
		"timeout":          parse.Time(&h.Timeout),
		"on_conflict":      parse.Word(&h.OnConflict, Park, Reject),
		"on_store_failure": parse.Word(&h.OnStoreFailure, Publish, Reject),
		"accepted_status":  parse.Count(&h.AcceptedStatus),
		"routing_key":      parse.String(&h.RoutingKey),
		"queue":            h.ParseQueue,
		"format":           h.ParseFormat,
	})
	if err == nil && h.Queue != "" && h.RoutingKey != "" {
		err = d.Err("routing_key and a queue exclude each other: the queue's name is its key")
	}
	return err
}

// ParseQueue reads the name of the queue that gets the events.
func (h *Handler) ParseQueue(d *caddyfile.Dispenser) error {
	if h.Task != "" {
		return d.Err("queue: the queue of a Celery task stands in the block of format celery")
	}
	return parse.String(&h.Queue)(d)
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
	if err := parse.Block(d, map[string]parse.Func{"queue": parse.String(&h.Queue)}); err != nil {
		return err
	}
	if h.Queue == "" {
		return d.Err("format celery: it needs a block with the queue that the Celery worker consumes, such as { queue celery }")
	}
	h.Task = task
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
