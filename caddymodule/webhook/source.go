package webhook

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/allowlist"
	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/caddymodule/publish"
)

// The sources, which set what their sender needs.
const (
	SourceDataAction    = "data-action"
	SourceOpenMessaging = "open-messaging"
)

// services are those of Genesys Cloud whose addresses the sources send from.
var services = map[string]string{
	SourceDataAction:    allowlist.ServiceDataActions,
	SourceOpenMessaging: allowlist.ServiceOpenMessaging,
}

// What Open Messaging does: it waits 10 s for an answer, and tries five times
// more, which takes 85 s in all. An event ID must be remembered for longer.
const (
	openMessagingTimeout = 9 * time.Second
	openMessagingTTL     = 10 * time.Minute
)

// applySource fills in what the block left open and its source knows.
func (c *hookConfig) applySource() {
	switch c.source {
	case SourceDataAction:
		// Never sent again by Genesys: better taken twice than lost.
		if c.publish.OnStoreFailure == "" {
			c.publish.OnStoreFailure = publish.Publish
		}
	case SourceOpenMessaging:
		if c.contractIsOpen() {
			c.validate.Contract = "open-messaging"
		}
		// It has been seen to send application/octet-stream, and to give up a
		// chat at anything but a 200.
		c.validate.AnyMediaType = true
		c.publish.AcceptedStatus = http.StatusOK
	}
}

// contractIsOpen reports whether the block says nothing of a contract.
func (c *hookConfig) contractIsOpen() bool {
	return c.validate.Contract == "" && c.validate.ContractFile == "" && !c.contractIsNone
}

// checkSource refuses what cannot go well with a source.
func (c *hookConfig) checkSource(block *caddyfile.Dispenser, lines parse.Lines) error {
	if c.source != SourceOpenMessaging {
		return nil
	}
	if ttl := c.publish.TTL; ttl != 0 && ttl < caddy.Duration(openMessagingTTL) {
		return lines.At(block, "ttl").Errf("ttl: source %s sends again for 85 s: at least %s, not %s", c.source, openMessagingTTL, time.Duration(ttl))
	}
	if c.timeout > caddy.Duration(openMessagingTimeout) {
		return lines.At(block, "timeout").Errf("timeout: source %s waits 10 s for an answer: at most %s, not %s", c.source, openMessagingTimeout, time.Duration(c.timeout))
	}
	return nil
}
