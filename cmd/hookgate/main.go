// Command hookgate is Caddy with its standard modules and Hookgate. What
// xcaddy builds is the same, less the commands at the top.
package main

import (
	"os"
	"runtime/debug"
	_ "time/tzdata" // for containers without zone files

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // plug in Caddy's own

	_ "github.com/hookgate/hookgate" // plug in ours
	"github.com/hookgate/hookgate/caddymodule/command"
)

// gcPercent lets the heap grow to five times what is in use before it is
// collected. An edge has some megabytes in use, and under load would collect many
// times a second otherwise. GOGC in the environment overrules it.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	identify()
	command.RegisterTop()
	caddycmd.Main()
}
