package integration

import (
	"fmt"
	"strings"
	"testing"
)

// publishRoute publishes what is posted to a path, with an event ID in a header.
func publishRoute(path, name string) string {
	if name != "" {
		name = "name " + name
	}
	return fmt.Sprintf(`	route %s {
		webhook_validate {
			%s
			event_id header Idempotency-Key
		}
		webhook_publish {
			timeout 5s
		}
	}
`, path, name)
}

// Nobody but who wrote the config can mend it: a sender that is told of its own
// mistake would throw the event away.
func TestAConfigThatNamesNoEventIDIsNotTheSendersFault(t *testing.T) {
	s := start(t, site(`	route /hook {
		webhook_validate {
			name forgetful
		}
		webhook_publish
	}
	handle_errors {
		webhook_problem
	}`))
	a, err := send(httpClient, s.URL("/hook"), strings.NewReader(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, 503, "misconfigured")
}

// Routes without a name would share their event IDs: what is new to one would
// be a duplicate of another's, and lost.
func TestOnlyAHookWithANamePublishes(t *testing.T) {
	s := start(t, site(publishRoute("/a", "a")+publishRoute("/b", "b")+publishRoute("/none", "")+`	handle_errors {
		webhook_problem
	}`))
	for _, tc := range []struct {
		path, code string
		status     int
	}{
		{"/a", "accepted", 202},
		{"/b", "accepted", 202},
		{"/a", "duplicate", 200},
		{"/none", "misconfigured", 503},
	} {
		a, err := send(httpClient, s.URL(tc.path), strings.NewReader(`{"n":1}`), "Idempotency-Key", "one")
		if err != nil {
			t.Fatal(err)
		}
		if a.status != tc.status || a.code() != tc.code {
			t.Errorf("%s: got %d %s, want %d %s", tc.path, a.status, a.raw, tc.status, tc.code)
		}
	}
}
