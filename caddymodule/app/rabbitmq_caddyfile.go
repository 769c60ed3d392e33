package app

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// UnmarshalCaddyfile sets up the queue. Syntax:
//
//	queue rabbitmq <url>... {
//		username <name>
//		password <secret>
//		prefix   <prefix>
//		topology declare | passive
//		tls {
//			ca          <path>
//			certificate <path> <key's path>
//			server_name <name>
//		}
//		spool {
//			max_size <size>
//			rate     <events a second>
//		}
//	}
//
// The secret is {env.NAME} or {file./path}. The block after tls, and that after
// spool, may be left out.
func (s *RabbitMQQueue) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	s.URLs = d.RemainingArgs()
	// Found here, an error has the line of the URLs.
	if err := s.check(); err != nil {
		return d.Errf("%v", err)
	}
	return parse.Block(d, map[string]parse.Func{
		"username": parse.Checked(parse.String(&s.Username), s.check),
		"password": parse.Checked(parse.String(&s.Password), s.check),
		"prefix":   parse.Checked(parse.String(&s.Prefix), s.check),
		"topology": parse.Word(&s.Topology, string(rabbitmq.Declare), string(rabbitmq.Passive)),
		"tls":      parseTLS(&s.TLS),
		"spool":    parseSpool(&s.Spool),
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*RabbitMQQueue)(nil)
