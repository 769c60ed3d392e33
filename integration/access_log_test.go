package integration

import (
	"strings"
	"testing"
	"time"
)

// Caddy redacts only the header fields that it knows to be secret.
func TestTheDocumentedAccessLogHasNoSecretOfASender(t *testing.T) {
	snippet := ""
	for name, text := range snippets(t) {
		if strings.HasPrefix(name, "docs/operations.md") && strings.Contains(text, "format filter") {
			snippet = text
		}
	}
	if snippet == "" {
		t.Fatal("no such snippet")
	}
	s := start(t, site(snippet+"\n\tgenesys_webhook "+hookPath))
	s.post(payload("logged"), "X-Edge-Token", "hunter2", "X-Hub-Signature-256", "hunter3", "Webhook-Signature", "hunter4", "X-Other", "shown")
	eventually(t, 5*time.Second, "the access log has the request", func() bool {
		return strings.Contains(s.Log.String(), `"X-Other":["shown"]`)
	})
	if strings.Contains(s.Log.String(), "hunter") {
		t.Error("the access log has a secret")
	}
}
