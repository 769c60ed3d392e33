package caddymodule_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// What only the machine knows that a config is loaded on is found there: the error
// names the hook, the directive and what is missing, and no value.
func TestAConfigThatDoesNotLoadSaysWhichHookAndWhatToDo(t *testing.T) {
	t.Setenv("LOAD_TEST_SHORT", "hunter2")
	t.Setenv("LOAD_TEST_EMPTY", "")
	const where = ` of the hook "pe-action-map": `
	hook := func(lines string) string {
		return ":8080 {\n\tgenesys_webhook {\n" + lines + "\n\t}\n\trespond 404\n}\n"
	}
	for _, tc := range []struct{ name, caddyfile, want string }{
		{
			"a variable that is not set", hook("auth header X-A {env.LOAD_TEST_UNSET}"),
			"webhook_auth" + where + "a secret of header X-A: {env.LOAD_TEST_UNSET} is not set: this process needs LOAD_TEST_UNSET in its environment",
		},
		{
			"one of two that is empty", hook("auth hub_signature {env.LOAD_TEST_SHORT} {env.LOAD_TEST_EMPTY}"),
			"webhook_auth" + where + "a secret of hub_signature: {env.LOAD_TEST_EMPTY} is empty",
		},
		{
			"a file that is not there", hook("auth header X-A {file./nonexistent/secret}"),
			"webhook_auth" + where + "a secret of header X-A: {file./nonexistent/secret} cannot be read: no such file or directory",
		},
		{
			"a secret of another form", hook("auth standard_webhooks {env.LOAD_TEST_SHORT}"),
			"webhook_auth" + where + "a secret of standard_webhooks: it is not whsec_ and the base64",
		},
		{
			"a contract that is not there", hook("name pe-action-map\ncontract file /nonexistent/contract"),
			"webhook_validate" + where + "contract: open /nonexistent/contract",
		},
		{
			"ranges that are not there", hook("allow file /nonexistent/ranges"),
			"webhook_allow" + where,
		},
		{
			"two hooks at one place", ":8080 {\n\tgenesys_webhook /a {\n\t\tname a\n\t}\n\tgenesys_webhook /a {\n\t\tname b\n\t}\n}\n",
			`the hooks "a" and "b" both stand at /a: only the first would get requests: give each hook a path or a host of its own`,
		},
		{
			"handlers alone, two of which name hooks", ":8080 {\n\troute {\n\t\twebhook_auth hub_signature {env.LOAD_TEST_UNSET}\n\t\twebhook_validate /a {\n\t\t\tname a\n\t\t}\n\t\twebhook_validate {\n\t\t\tname b\n\t\t}\n\t}\n}\n",
			"webhook_auth: a secret of hub_signature: {env.LOAD_TEST_UNSET} is not set",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(tc.caddyfile), map[string]any{"filename": "Caddyfile"})
			if err != nil {
				t.Fatal(err)
			}
			var cfg caddy.Config
			if err := json.Unmarshal(config, &cfg); err != nil {
				t.Fatal(err)
			}
			err = caddy.Validate(&cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
