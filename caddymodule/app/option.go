package app

import (
	"encoding/json"
	"errors"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// A Caddyfile's global options are read before its sites. So what a hook needs of
// hookgate can be told where the hook stands, with file and line. A config in
// JSON is held against the same when it is loaded. An option is the value of
// hookgate, as httpcaddyfile.Helper.Option returns it: nil where there is none.

var (
	errNoRanges = errors.New("the addresses of Genesys Cloud need the global option hookgate to have: genesys <region>")
	errNoRouter = errors.New("a hook's own queue, and format celery, need the global option hookgate to have: queue rabbitmq <url>")
)

// settingsOf returns what the option says that hooks may need.
func settingsOf(option any) (settings struct {
	Genesys json.RawMessage `json:"genesys"`
	Queue   struct {
		Driver string `json:"driver"`
	} `json:"queue"`
},
) {
	if a, ok := option.(httpcaddyfile.App); ok {
		_ = json.Unmarshal(a.Value, &settings)
	}
	return settings
}

// HasGenesys reports whether the option says how Genesys Cloud is asked.
func HasGenesys(option any) bool { return settingsOf(option).Genesys != nil }

// CheckGenesys returns an error for a hook that goes by the addresses of Genesys
// Cloud, where the option does not say how it is asked.
func CheckGenesys(option any) error {
	if !HasGenesys(option) {
		return errNoRanges
	}
	return nil
}

// CheckRouter returns an error for a hook that names a queue, where that of the
// option is the embedded one. Whether another driver has queues by name is known
// when it is loaded.
func CheckRouter(option any) error {
	if driver := settingsOf(option).Queue.Driver; driver == "" || driver == "embedded" {
		return errNoRouter
	}
	return nil
}
