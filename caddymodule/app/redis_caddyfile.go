package app

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/plugins/redis"
)

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	store redis <url>... {
//		mode     single | cluster | sentinel <master>
//		username <name>
//		password <secret>
//		sentinel_username <name>
//		sentinel_password <secret>
//		prefix   <prefix>
//		tls {
//			ca          <path>
//			certificate <path> <key's path>
//			server_name <name>
//		}
//		fallback <driver> ...
//	}
//
// A secret is {env.NAME} or {file./path}. A block after tls may be left out.
func (s *RedisStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	s.URLs = d.RemainingArgs()
	// Found here, an error has the line of the URLs.
	if err := s.check(); err != nil {
		return d.Errf("%v", err)
	}
	urls, lines := *d, make(parse.Lines)
	err := parse.Block(d, lines.Note(map[string]parse.Func{
		"mode":     s.parseMode,
		"username": parse.Checked(parse.String(&s.Username), s.check),
		"password": parse.Checked(parse.String(&s.Password), s.check),
		"prefix":   parse.String(&s.Prefix),
		"tls":      parseTLS(&s.TLS),
		"fallback": s.parseFallback,

		"sentinel_username": parse.String(&s.SentinelUsername),
		"sentinel_password": parse.Checked(parse.String(&s.SentinelPassword), s.check),
	}))
	if err != nil {
		return err
	}
	if err := s.checkSentinels(); err != nil {
		return lines.At(&urls, "sentinel_username", "sentinel_password").WrapErr(err)
	}
	if err := s.checkMode(); err != nil {
		return lines.At(&urls, "mode").WrapErr(err)
	}
	return nil
}

func (s *RedisStore) parseFallback(d *caddyfile.Dispenser) error {
	if err := driver(&s.FallbackRaw, "hookgate.stores.")(d); err != nil {
		return err
	}
	var other struct {
		Fallback json.RawMessage `json:"fallback"`
	}
	if err := json.Unmarshal(s.FallbackRaw, &other); err == nil && other.Fallback != nil {
		return d.Err("fallback: a fallback has no fallback of its own")
	}
	return nil
}

func (s *RedisStore) parseMode(d *caddyfile.Dispenser) error {
	if err := parse.Word(&s.Mode, string(redis.ModeSingle), string(redis.ModeCluster), string(redis.ModeSentinel))(d); err != nil {
		return err
	}
	if s.Mode != string(redis.ModeSentinel) {
		return nil
	}
	if !d.NextArg() {
		return d.Err("mode sentinel: the name of the master is missing")
	}
	s.Master = d.Val()
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*RedisStore)(nil)
