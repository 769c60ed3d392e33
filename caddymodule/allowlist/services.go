package allowlist

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/app"
)

// The services of Genesys Cloud that send events.
const (
	ServiceDataActions   = "data-actions"
	ServiceOpenMessaging = "open-messaging"
)

var errNoService = errors.New("name the services whose addresses count, such as data-actions or open-messaging")

// checkServices refuses what can only be a mistake. Services themselves are
// open: Genesys adds one now and then.
func checkServices(services []string) error {
	for i, s := range services {
		if s == "" {
			return errors.New("a service is empty")
		}
		if slices.Contains(services[:i], s) {
			return fmt.Errorf("the service %q is already specified", s)
		}
	}
	return nil
}

// CheckOption returns an error, with the place of d, where one of the sources
// needs what the global option hookgate does not say.
func CheckOption(d *caddyfile.Dispenser, sources []json.RawMessage, option any) error {
	for _, raw := range sources {
		var of struct {
			Source string `json:"source"`
		}
		if json.Unmarshal(raw, &of) != nil || of.Source != "genesys" {
			continue
		}
		if err := app.CheckGenesys(option); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

// Default returns the sources of a hook that names none: the addresses of a
// service, where there is one and the global option says how Genesys Cloud is
// asked, else private ranges. The option is the value of hookgate, as
// httpcaddyfile.Helper.Option returns it.
func Default(option any, service string) []json.RawMessage {
	if service == "" || !app.HasGenesys(option) {
		return PrivateRanges()
	}
	return []json.RawMessage{caddyconfig.JSONModuleObject(&GenesysSource{Services: []string{service}}, "source", "genesys", nil)}
}
