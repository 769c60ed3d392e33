// Package hookgate is the endpoint for webhooks from Genesys Cloud: Caddy
// modules that take each event durably inside a budget of time, or say why not.
//
// A 2xx means that the event is durable and will be processed. Anything else
// means: send it again with the same ID, that is safe.
//
// Importing this package plugs everything into Caddy, so that this is all it
// takes to build one with it:
//
//	xcaddy build --with github.com/hookgate/hookgate
package hookgate

import (
	_ "github.com/hookgate/hookgate/caddymodule" // plug in everything
)
