package provision

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

// look returns the findings as text, a line each.
func look(t *testing.T, s *genesystest.Server, c genesystest.Client, o CheckOptions) string {
	t.Helper()
	client, err := genesys.New(s.Options(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	o.Client = client
	var text strings.Builder
	for _, f := range Check(t.Context(), o) {
		text.WriteString(f.What + ": " + string(f.State) + ": " + f.Detail + "\n")
	}
	return text.String()
}

func wants(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

func TestACheckSaysWhatAClientMayDo(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.SetRanges(append(genesystest.Outbound("data-actions", "192.0.2.0/24", "198.51.100.0/24"), genesystest.Outbound("smtp", "203.0.113.1/32")...)...)
	wants(t, look(t, s, genesystest.Admin, CheckOptions{Jobs: []Job{JobDataAction}}),
		"token: ok: ", "ip ranges: ok: data-actions 2, smtp 1\n",
		"permission integrations:integration:view: ok: ", "permission messaging:integration:view: ok: ",
		"permissions for provision data-action: warning: whether it has integrations:integration:add, ")
	wants(t, look(t, s, genesystest.Roleless, CheckOptions{}),
		"token: ok: ", "ip ranges: ok: ", "permission integrations:integration:view: missing: ", "permission integrations:action:view: missing: ")
	wants(t, look(t, s, genesystest.Roleless, CheckOptions{Jobs: []Job{JobOpenMessaging}}),
		"permission integrations:integration:view: missing: ", "permission messaging:integration:view: failed: ", "give the OAuth client a role with messaging:integration:view")
	if n := len(s.Changes()); n != 0 {
		t.Errorf("%d changes were made", n)
	}
}

func TestACheckSaysWhyATokenOrTheRangesAreNotToBeHad(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	if text := look(t, s, genesystest.Client{ID: "x", Secret: "wrong-one"}, CheckOptions{}); !strings.Contains(text, "token: failed: ") || strings.Contains(text, "wrong-one") || strings.Contains(text, "ip ranges") {
		t.Error(text)
	}
	wants(t, look(t, s, genesystest.Roleless, CheckOptions{}), "ip ranges: failed: no entry is for traffic")
}

func TestACheckTellsAHookFromOtherThings(t *testing.T) {
	mux := http.NewServeMux()
	problem := func(path string, status int, code string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				t.Errorf("%s %s", r.Method, r.URL.Path)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"code":"` + code + `","detail":"because"}`))
		})
	}
	problem("/hook", 405, "method_not_allowed")
	problem("/private", 403, "forbidden")
	problem("/down", 503, "allowlist_unavailable")
	problem("/redirect", 302, "")
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	edge := httptest.NewTLSServer(mux)
	t.Cleanup(edge.Close)
	s := genesystest.Start(t, genesystest.Options{})
	for path, want := range map[string]string{
		"/hook":     "hook: ok: a hook answers, and lets this address in\n",
		"/private":  "hook: ok: a hook answers, and refuses this address",
		"/down":     "hook: failed: a hook answers 503 allowlist_unavailable: because\n",
		"/redirect": "hook: failed: no hook answers there, but something else with the status 302",
		"/page":     "hook: failed: no hook answers there, but something else with the status 200",
		"/nothing":  "hook: failed: no hook answers there, but something else with the status 404",
	} {
		wants(t, look(t, s, genesystest.Roleless, CheckOptions{URL: edge.URL + path, HTTP: edge.Client()}),
			want, "certificate: ok: of ", "port: warning: Open Messaging calls port 443 only")
	}
	wants(t, look(t, s, genesystest.Roleless, CheckOptions{URL: edge.URL + "/hook"}), "certificate: failed: ", "Genesys takes certificates of public authorities only")
	wants(t, look(t, s, genesystest.Roleless, CheckOptions{URL: "http://hooks.example.com"}), "hook: failed: the URL of the hook begins with https://")
	wants(t, look(t, s, genesystest.Roleless, CheckOptions{URL: "https://127.0.0.1:1/hook"}), "certificate: failed: the hook cannot be reached from here: ")

	roots := x509.NewCertPool()
	roots.AddCert(edge.Certificate())
	misnamed := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "hooks.example.org"}}}
	wants(t, look(t, s, genesystest.Roleless, CheckOptions{URL: edge.URL + "/hook", HTTP: misnamed}), "certificate: failed: ", "Genesys will refuse it too")
}
