package handlers

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// A config in JSON is seen by as many as a Caddyfile, and by the admin API.
func TestNoSecretOfForwardStandsInJSON(t *testing.T) {
	t.Setenv("FORWARD_TEST", "value")
	const (
		credentials = "credentials do not stand here themselves"
		secret      = "a secret does not stand here itself"
	)
	for _, tc := range []struct{ name, config, want string }{
		{"a user and a password", `{"url":"https://me:hunter2@app/events"}`, credentials},
		{"a password beside a placeholder", `{"url":"https://{env.FORWARD_TEST}:hunter2@app/events"}`, credentials},
		{"a token in the place of a user", `{"url":"https://hunter2@app/events"}`, credentials},
		{"a password of the environment", `{"url":"https://me:{env.FORWARD_TEST}@app/events"}`, ""},
		{"both from the environment", `{"url":"https://{env.FORWARD_TEST}@app/events"}`, ""},
		{"no credentials, and an @ in the path", `{"url":"https://app/events/@me"}`, ""},
		{"a literal in a field for a secret", `{"url":"https://app/events","header":{"x-api-key":"hunter2"}}`, secret},
		{"a placeholder in one", `{"url":"https://app/events","header":{"Authorization":"Bearer {env.FORWARD_TEST}"}}`, ""},
		{"a literal in another field", `{"url":"https://app/events","header":{"X-Stage":"hunter2"}}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := new(Forward)
			if err := json.Unmarshal([]byte(tc.config), f); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			err := f.Provision(ctx)
			if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
