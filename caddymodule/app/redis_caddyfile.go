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
	err := parse.Block(d, map[string]parse.Func{
		"mode":     s.parseMode,
		"username": s.checked(parse.String(&s.Username)),
		"password": s.checked(parse.String(&s.Password)),
		"prefix":   parse.String(&s.Prefix),
		"tls":      parseTLS(&s.TLS),
		"fallback": s.parseFallback,

		"sentinel_username": parse.String(&s.SentinelUsername),
		"sentinel_password": s.checked(parse.String(&s.SentinelPassword)),
	})
	if err != nil {
		return err
	}
	if err := s.checkSentinels(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// checked reads an argument and holds the settings so far against each other.
func (s *RedisStore) checked(read parse.Func) parse.Func {
	return func(d *caddyfile.Dispenser) error {
		if err := read(d); err != nil {
			return err
		}
		if err := s.check(); err != nil {
			return d.Errf("%v", err)
		}
		return nil
	}
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
