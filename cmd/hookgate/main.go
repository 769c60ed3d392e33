// Command hookgate is Caddy with its standard modules and Hookgate. What
// xcaddy builds is the same, less the commands at the top.
package main

import (
	_ "time/tzdata" // for containers without zone files

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // plug in Caddy's own

	_ "github.com/hookgate/hookgate" // plug in ours
	"github.com/hookgate/hookgate/caddymodule/command"
)

func main() {
	command.RegisterTop()
	caddycmd.Main()
}
