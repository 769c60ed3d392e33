package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

// The whole way: what sends events is made in Genesys Cloud from the command
// line, the edge fetches the addresses that it sends from, and takes its events
// and nobody else's.
func TestTheWholeWayFromGenesysIntoTheQueue(t *testing.T) {
	cloud := genesysCloud(t)
	t.Setenv("EDGE_TOKEN", "edge-token-0123456789")
	t.Setenv("HOOKGATE_HOOK_SECRET", "edge-token-0123456789")
	t.Setenv("GENESYS_CLIENT_ID", genesystest.Admin.ID)
	t.Setenv("GENESYS_CLIENT_SECRET", genesystest.Admin.Secret)
	site := secureSite("\tgenesys_webhook " + hookPath + " {\n\t\ttimeout 5s\n\t\tsource data-action\n\t\tauth header X-Edge-Token {env.EDGE_TOKEN}\n\t}\n\thookgate_health")
	s := start(t, strings.Replace(site, "data_dir $DIR/data", fmt.Sprintf(`data_dir $DIR/data
		genesys {
			api_url %s
			login_url %s
			client_id %s
			client_secret {env.HOOKGATE_TEST_GENESYS_SECRET}
		}`, cloud.APIURL(), cloud.LoginURL(), genesystest.Roleless.ID), 1))
	_, port, _ := net.SplitHostPort(s.HTTP)
	hook := "https://localhost:" + port + hookPath

	root := filepath.Join(s.Dir, "caddy", "pki", "authorities", "local", "root.crt")
	var pem []byte
	eventually(t, time.Minute, "Caddy's CA has a certificate", func() bool {
		var err error
		pem, err = os.ReadFile(root)
		return err == nil && len(pem) > 0
	})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in root.crt")
	}
	from := func(addr string) *http.Client {
		c := genesystest.LocalAddress(netip.MustParseAddr(addr), &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true})
		c.Timeout = 30 * time.Second
		return c
	}
	eventually(t, time.Minute, "the edge is ready", func() bool {
		resp, err := from("127.0.0.1").Get("https://localhost:" + port + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	run := func(code int, args ...string) string {
		t.Helper()
		out, stderr, got := command(t, append([]string{"genesys", "--api-url", cloud.APIURL(), "--login-url", cloud.LoginURL(), "--cacert", root}, args...)...)
		if got != code {
			t.Fatalf("%v: exit code %d\n%s%s", args, got, out, stderr)
		}
		return out
	}

	if out := run(0, "check", hook); !strings.Contains(out, "a hook answers, and refuses this address, as it should") {
		t.Error(out)
	}
	cloud.SetOutbound(from("127.0.0.9"))
	if out := run(3, "provision", "data-action", hook); !strings.Contains(out, "forbidden") {
		t.Errorf("from a foreign address: %s", out)
	}
	cloud.SetOutbound(from("127.0.0.2"))
	if out := run(0, "provision", "data-action", hook); !strings.Contains(out, "the test got through to the edge") {
		t.Error(out)
	}
	events := s.events("ready")
	if len(events) != 1 || !strings.HasPrefix(events[0].EventID, "hookgate-test-") || events[0].ClientIP != "127.0.0.2" {
		t.Fatalf("the queue has %+v", events)
	}

	// The flow leaves out what it does not have; the template has it be null.
	client, err := genesys.New(cloud.Options(genesystest.Admin))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	result, err := genesys.API{Sender: client}.TestAction(context.Background(), cloud.Org().Actions[0].ID, map[string]any{
		"campaignId": "c", "campaignName": `Q4 "retention"`, "contactId": "k", "contactNumber": "+12025550123", "callOutcome": "answered",
		"timestamp": "2026-07-04T12:00:00.000Z", "webhookEventId": "flow-1",
	})
	if err != nil || !result.Success {
		t.Fatalf("%+v, %v", result, err)
	}
	events = s.events("ready")
	var body map[string]any
	if err := json.Unmarshal(events[len(events)-1].Body, &body); err != nil {
		t.Fatal(err)
	}
	agent, there := body["agentId"]
	if len(events) != 2 || body["campaignName"] != `Q4 "retention"` || agent != nil || !there {
		t.Errorf("the queue has %v", body)
	}

	// What a data action made by hand sends, drifts: it is repaired and reported.
	drifted := strings.Replace(payload("drifted-1"), `"callDurationSeconds":142`, `"callDurationSeconds":"142"`, 1)
	post := func(addr string) answer {
		a, err := send(from(addr), hook, strings.NewReader(drifted), "X-Edge-Token", "edge-token-0123456789")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	post("127.0.0.1").want(t, 403, "forbidden")
	post("127.0.0.2").want(t, 202, "accepted")
	events = s.events("ready")
	if last := events[len(events)-1]; !strings.Contains(string(last.Body), `"callDurationSeconds":142,`) {
		t.Errorf("the queue has %s", last.Body)
	}
	out, stderr, code := command(t, "contract", "drift", "--address", s.Admin)
	if code != 0 || !strings.Contains(out, "/callDurationSeconds") {
		t.Errorf("the drift is not reported: %d\n%s%s", code, out, stderr)
	}
	run(0, "remove", "--yes")
	if o := cloud.Org(); len(o.Integrations)+len(o.Credentials)+len(o.Actions) != 0 {
		t.Errorf("left is %+v", o)
	}
}
