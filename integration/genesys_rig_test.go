package integration

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/genesys/genesystest"
)

// genesysSite is a Caddyfile with more global options, whose hook takes what a
// Genesys Cloud sends.
func genesysSite(s *genesystest.Server, options, refresh string, hook ...string) string {
	return fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	%s
	hookgate {
		data_dir $DIR/data
		genesys {
			api_url %s
			login_url %s
			client_id %s
			client_secret {env.HOOKGATE_TEST_GENESYS_SECRET}
			refresh %s
		}
	}
}

http://:$PORT {
	bind 127.0.0.1
	hookgate_health
	handle /metrics {
		metrics
	}
%s
	respond 404
}
`, options, s.APIURL(), s.LoginURL(), genesystest.Roleless.ID, refresh, patientHook(append([]string{"max_refused off"}, hook...)...))
}

// genesysCloud starts a Genesys Cloud that sends data actions from 127.0.0.2 and
// Open Messaging from 127.0.0.3.
func genesysCloud(t *testing.T) *genesystest.Server {
	t.Helper()
	t.Setenv("HOOKGATE_TEST_GENESYS_SECRET", genesystest.Roleless.Secret)
	s := genesystest.Start(t, genesystest.Options{})
	s.SetRanges(append(genesystest.Outbound("data-actions", "127.0.0.2/32"), genesystest.Outbound("open-messaging", "127.0.0.3/32")...)...)
	return s
}

// postFrom sends a body from an address.
func (s *server) postFrom(addr, body string) answer {
	s.t.Helper()
	a, err := s.sendFrom(addr, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// sendFrom is postFrom for goroutines of a test's own.
func (s *server) sendFrom(addr, body string) (answer, error) {
	client := genesystest.LocalAddress(netip.MustParseAddr(addr), &http.Transport{DisableKeepAlives: true})
	client.Timeout = 30 * time.Second
	return send(client, s.URL(hookPath), strings.NewReader(body))
}

// want holds an answer against status and code.
func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.code() != code {
		t.Errorf("got %d %s, want %d %s", a.status, a.raw, status, code)
	}
}

// look reads a page of the site.
func (s *server) look(path string) answer {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL(path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := do(http.DefaultClient, req)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// ready waits for the list of addresses.
func (s *server) ready() {
	s.t.Helper()
	eventually(s.t, time.Minute, "the addresses are known", func() bool { return s.look("/readyz").status == 200 })
}

// fetches counts how often a Genesys Cloud was asked for its addresses.
func fetches(s *genesystest.Server) int { return len(s.Calls(http.MethodGet, "/api/v2/ipranges")) }
