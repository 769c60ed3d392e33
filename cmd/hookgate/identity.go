package main

import (
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
)

// identify lets the program say what it is, where Caddy asks. A linker flag for
// the version counts more.
func identify() {
	caddy.CustomBinaryName = "hookgate"
	caddy.CustomLongDescription = description
	if caddy.CustomVersion != "" {
		return
	}
	caddy.CustomVersion = "Hookgate"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		caddy.CustomVersion += " " + info.Main.Version
	}
	caddy.CustomVersion += " with Caddy"
}

const description = `Hookgate takes webhooks from Genesys Cloud, durably and inside 500 ms. It is
Caddy with its standard modules and a directive, genesys_webhook: what Caddy can
do, and its commands, are all here.

To run the Caddyfile of the current folder:

	$ hookgate run

To see what waits in its queue, and to try it out:

	$ hookgate queue
	$ hookgate simulate http://127.0.0.1:8080/webhooks/genesys/pe-action-map

To check and to load a changed Caddyfile, without losing a request:

	$ hookgate validate
	$ hookgate reload

Every directive and option: https://github.com/hookgate/hookgate/tree/main/docs
`
