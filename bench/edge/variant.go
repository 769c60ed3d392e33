package main

import (
	"fmt"
	"strings"
)

// hookPath is where the load goes.
const hookPath = "/webhooks/genesys/pe-action-map"

// variant is one way to run the edge.
type variant struct {
	name  string
	title string

	bare    bool   // run the bare program, which keeps nothing
	core    bool   // run the program that has the accepting core and no more
	asked   bool   // measured only where it is named
	servers bool   // needs Redis and RabbitMQ
	global  string // global options of its Caddyfile
	site    string // directives of its site

	// crowd is by how many times the connections of the flags are multiplied;
	// 0: they are not. What is too much is answered 503 or 504 then.
	crowd int

	// maxRatio is how many times the CPU of bare Caddy a request may cost; 0
	// is any number. It is a goal: machines differ, and it fails nothing.
	maxRatio float64
}

// The global options of Hookgate, with nothing installed and on servers.
const (
	onDisk = `hookgate {
		data_dir $DIR/data
		store embedded
		queue embedded
	}`
	onServers = `hookgate {
		data_dir $DIR/data
		store redis {env.REDIS_URL}
		queue rabbitmq {env.AMQP_URL}
	}`
)

var variants = []variant{
	{
		name:  "bare",
		title: "bare Caddy",
		bare:  true,
		site:  "discard " + hookPath,
	},
	{
		name:     "embedded",
		title:    "Hookgate, embedded",
		global:   onDisk,
		site:     "genesys_webhook " + hookPath,
		maxRatio: 2.0,
	},
	{
		name:     "servers",
		title:    "Hookgate, Redis + RabbitMQ",
		servers:  true,
		global:   onServers,
		site:     "genesys_webhook " + hookPath,
		maxRatio: 2.3,
	},
	{
		name:    "core",
		title:   "its core alone, Redis + RabbitMQ",
		core:    true,
		asked:   true,
		servers: true,
		global:  onServers,
		site:    "keep " + hookPath,
	},
	{
		name:   "core-embedded",
		title:  "its core alone, embedded",
		core:   true,
		asked:  true,
		global: onDisk,
		site:   "keep " + hookPath,
	},
	{
		name:   "overload",
		title:  "Hookgate, embedded, ten times the load",
		asked:  true,
		crowd:  10,
		global: onDisk,
		site:   "genesys_webhook " + hookPath,
	},
}

// connections returns how many the variant has, of those that the flags say.
func (v variant) connections(s settings) int { return s.connections * max(v.crowd, 1) }

func variantNames() []string {
	names := make([]string, len(variants))
	for i, v := range variants {
		names[i] = v.name
	}
	return names
}

// usual are the names of the variants that are measured where none are named.
func usual() []string {
	var names []string
	for _, v := range variants {
		if !v.asked {
			names = append(names, v.name)
		}
	}
	return append(names, consumerName)
}

func variantNamed(name string) variant {
	for _, v := range variants {
		if v.name == name {
			return v
		}
	}
	panic("bench: no variant " + name) // the flags were checked
}

// caddyfile returns the variant's Caddyfile. All variants have the same server
// options, and none has an access log.
func (v variant) caddyfile(port, admin, dir string) string {
	const frame = `{
	admin %s
	auto_https off
	persist_config off
	grace_period 5s
	%s
}

http://:%s {
	bind 127.0.0.1
	%s
	respond 404
}
`
	return fmt.Sprintf(frame, admin, strings.ReplaceAll(v.global, "$DIR", dir), port, v.site)
}
