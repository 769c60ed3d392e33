package app

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
)

// UnmarshalCaddyfile sets up the consumer. Syntax:
//
//	consumer {
//		forward <url> ... | postgres <dsn> <table> ... | log
//		inbox       <driver> ...
//		retry       <duration>...
//		concurrency <count>
//		prefetch    <count>
//		work_limit  <duration>
//	}
func (c *Consumer) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	subdirectives := map[string]parse.Func{
		"inbox":       driver(&c.InboxRaw, "hookgate.stores."),
		"retry":       c.parseRetry,
		"concurrency": parse.Count(&c.Concurrency),
		"prefetch":    parse.Count(&c.Prefetch),
		"work_limit":  parse.Time(&c.WorkLimit),
	}
	for _, m := range caddy.GetModules("hookgate.handlers") {
		subdirectives[m.ID.Name()] = c.parseHandler
	}
	if err := parse.Block(d, subdirectives); err != nil {
		return err
	}
	if c.HandlerRaw == nil {
		return d.Err("consumer: what processes the events is missing, such as forward <url>")
	}
	return nil
}

// parseHandler reads a guest, by whose name its line begins.
func (c *Consumer) parseHandler(d *caddyfile.Dispenser) error {
	name := d.Val()
	if c.HandlerRaw != nil {
		return d.Errf("consumer: %s: there is another handler already", name)
	}
	mod, err := caddyfile.UnmarshalModule(d, "hookgate.handlers."+name)
	if err != nil {
		return err
	}
	c.HandlerRaw = caddyconfig.JSONModuleObject(mod, "handler", name, nil)
	return nil
}

func (c *Consumer) parseRetry(d *caddyfile.Dispenser) error {
	for d.NextArg() {
		v, err := parse.OptionDuration(d, "retry", time.Second)
		if err != nil {
			return err
		}
		if n := len(c.Retry); n > 0 && c.Retry[n-1] >= caddy.Duration(v) {
			return d.Errf("retry: %s does not come after %s", v, time.Duration(c.Retry[n-1]))
		}
		c.Retry = append(c.Retry, caddy.Duration(v))
	}
	if c.Retry == nil {
		return d.Err("retry: a duration is missing")
	}
	return nil
}

// parseConsumer reads the option consumer.
func parseConsumer(p **Consumer) parse.Func {
	return func(d *caddyfile.Dispenser) error {
		*p = new(Consumer)
		return (*p).UnmarshalCaddyfile(d)
	}
}
