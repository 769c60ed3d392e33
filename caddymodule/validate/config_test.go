package validate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestAHeaderThatNeverArrivesIsRefused(t *testing.T) {
	for _, tc := range []struct{ name, header, want string }{
		{"a good name", "Idempotency-Key", ""},
		{"an underscore", "Idempotency_Key", "an underscore or a dot"},
		{"a dot", "Idempotency.Key", "an underscore or a dot"},
		{"a space", `"Idempotency Key"`, "is no name of a header field"},
		{"a colon", "Idempotency-Key:", "is no name of a header field"},
		{"a placeholder", "{env.NAME}", "is no name of a header field"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h Handler
			err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("webhook_validate {\n\tevent_id header " + tc.header + "\n}"))
			if tc.want == "" {
				if err != nil || h.Validate() != nil {
					t.Errorf("%v, %v", err, h.Validate())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "Testfile:2") {
				t.Errorf("in a Caddyfile: got %v, want %s at Testfile:2", err, tc.want)
			}
			inJSON := Handler{EventID: &EventID{Header: strings.Trim(tc.header, `"`)}}
			if err := inJSON.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("in JSON: got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestAnAgeNeedsATimestamp(t *testing.T) {
	file := func(manifest string) string {
		path := filepath.Join(t.TempDir(), "c.schema.json")
		schema := `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","x-hookgate":{"name":"c","version":1,"event_id":["/id"]` + manifest + `}}`
		if err := os.WriteFile(path, []byte(schema), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		name    string
		handler Handler
		good    bool
	}{
		{"a built-in contract", Handler{Contract: "pe-action-map"}, true},
		{"a file that says where it is", Handler{ContractFile: file(`,"timestamp":"/at"`)}, true},
		{"a file that does not", Handler{ContractFile: file("")}, false},
		{"no contract", Handler{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			if err := tc.handler.Provision(ctx); err != nil {
				t.Fatalf("without an age: %v", err)
			}
			tc.handler.MaxEventAge = caddy.Duration(time.Minute)
			err := tc.handler.Provision(ctx)
			if tc.good && err != nil || !tc.good && (err == nil || !strings.Contains(err.Error(), "max_event_age needs a contract")) {
				t.Errorf("got %v", err)
			}
		})
	}
}
