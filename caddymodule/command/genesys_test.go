package command

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/genesys/genesystest"
	"github.com/hookgate/hookgate/genesys/ipranges"
	"github.com/hookgate/hookgate/genesys/provision"
)

const hookSecret = "hook-secret-0123456789"

// genesysRig is a Genesys Cloud, and a hook that its data actions reach.
type genesysRig struct {
	*genesystest.Server
	t     *testing.T
	hook  *httptest.Server
	roots string // a file
}

func newGenesysRig(t *testing.T, c genesystest.Client) *genesysRig {
	t.Helper()
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
			_, _ = w.Write([]byte(`{"code":"method_not_allowed"}`))
		case r.Header.Get("X-Edge-Token") != hookSecret:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"unauthorized"}`))
		default:
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"status":"accepted"}`))
		}
	}))
	t.Cleanup(hook.Close)
	r := &genesysRig{t: t, hook: hook, Server: genesystest.Start(t, genesystest.Options{Outbound: hook.Client()})}
	r.SetRanges(append(genesystest.Outbound("data-actions", "192.0.2.0/24", "198.51.100.7/32"),
		append(genesystest.Outbound("open-messaging", "203.0.113.0/24"), genesystest.Range{CIDR: "10.0.0.0/8", Service: "smtp", Direction: "inbound"})...)...)
	r.roots = filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(r.roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GENESYS_ENVIRONMENT", "")
	t.Setenv("GENESYS_CLIENT_ID", c.ID)
	t.Setenv("GENESYS_CLIENT_SECRET", c.Secret)
	t.Setenv(envHookSecret, hookSecret)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return r
}

// run runs `genesys` with arguments, against the rig.
func (r *genesysRig) run(args ...string) ran {
	r.t.Helper()
	return r.runBare(append(args, "--api-url", r.APIURL(), "--login-url", r.LoginURL(), "--cacert", r.roots)...)
}

func (r *genesysRig) runBare(args ...string) ran {
	r.t.Helper()
	var out, errs bytes.Buffer
	cmd := runnable(newGenesys())
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetIn(strings.NewReader(""))
	got := ran{err: cmd.ExecuteContext(r.t.Context())}
	got.out, got.errs = out.String(), errs.String()
	if got.err != nil {
		got.code = 1
		_, _ = fmt.Sscanf(got.err.Error(), "exiting with status %d", &got.code)
	}
	for _, secret := range []string{hookSecret, genesystest.Admin.Secret, genesystest.Roleless.Secret, "token-"} {
		if strings.Contains(got.out+got.errs, secret) {
			r.t.Errorf("%s is in what %v prints:\n%s%s", secret, args, got.out, got.errs)
		}
	}
	return got
}

func TestGenesysCheckSaysWhatIsInOrder(t *testing.T) {
	r := newGenesysRig(t, genesystest.Roleless)
	r.run("check", r.hook.URL).check(t, 0, "ok       token", "data-actions 2, open-messaging 1", "missing  permission integrations:integration:view", "a hook answers, and lets this address in")
	r.run("check", "--for", "provision data-action").check(t, 1, "failed", "give the OAuth client a role with integrations:integration:view", "something is not in order")
	var found []provision.Finding
	if err := json.Unmarshal([]byte(r.run("check", "--json").out), &found); err != nil || len(found) != 5 || found[0].State != provision.OK {
		t.Errorf("got %+v, %v", found, err)
	}
	r.run("check", "--for", "webhooks").check(t, 2, `--for is one of`)
	r.run("check", "a", "b").check(t, 2)
}

func TestGenesysIPRangesAreShownInThreeForms(t *testing.T) {
	r := newGenesysRig(t, genesystest.Roleless)
	r.run("ip-ranges").check(t, 0, "RANGE", "192.0.2.0/24     data-actions    eu-central-1", "203.0.113.0/24")
	r.run("ip-ranges", "--service", "data-actions", "--format", "caddyfile").check(t, 0)
	if out := r.run("ip-ranges", "--service", "data-actions", "--format", "caddyfile").out; out != "allow 192.0.2.0/24 198.51.100.7/32\n" {
		t.Errorf("got %s", out)
	}
	prefixes, err := ipranges.Parse([]byte(r.run("ip-ranges", "--json").out), []string{"open-messaging"})
	if err != nil || len(prefixes) != 1 {
		t.Errorf("got %v, %v", prefixes, err)
	}
	r.run("ip-ranges", "--service", "webhooks").check(t, 1, "no entry is for webhooks: there are some for data-actions, open-messaging")
	r.run("ip-ranges", "--format", "xml").check(t, 2, "--format is one of")
}

func TestGenesysIPRangesAreHeldAgainstThoseFromBefore(t *testing.T) {
	r := newGenesysRig(t, genesystest.Roleless)
	file := filepath.Join(t.TempDir(), "ranges.json")
	r.run("ip-ranges", "--diff").check(t, 1, "has not seen any ranges on this machine before")
	r.run("ip-ranges", "--output", file).check(t, 0)
	r.run("ip-ranges", "--diff").check(t, 0)
	r.run("ip-ranges", "--diff="+file).check(t, 0)
	r.SetRanges(genesystest.Outbound("data-actions", "192.0.2.0/24", "198.51.100.8/32")...)
	for _, diff := range []string{"--diff", "--diff=" + file} {
		r.run("ip-ranges", diff, "--service", "data-actions").check(t, 1, "+ 198.51.100.8/32 data-actions\n- 198.51.100.7/32 data-actions\n", "1 added, 1 removed")
	}
	r.run("ip-ranges", "--diff").check(t, 0) // against the time before
	if out := r.run("ip-ranges", "--diff="+file, "--output", file, "--json"); out.code != 1 || !strings.Contains(out.out, `"removed"`) {
		t.Errorf("got %d %s", out.code, out.out)
	}
	r.run("ip-ranges", "--diff="+file).check(t, 0)
	r.run("ip-ranges", "--diff="+file+".gone").check(t, 1, "--diff: open ")
}

func TestGenesysProvisionsADataActionThroughToTheHook(t *testing.T) {
	r := newGenesysRig(t, genesystest.Admin)
	if got := r.run("list", "--json"); got.code != 0 || !strings.Contains(got.out, `"steps": []`) {
		t.Errorf("of nothing: exit code %d, %s", got.code, got.out)
	}
	r.run("provision", "data-action", r.hook.URL+"/pe", "--dry-run").check(t, 0, "POST /api/v2/integrations\n", `"edgeToken": "***"`)
	var plan struct {
		DryRun  bool `json:"dry_run"`
		Changes []provision.Change
	}
	dry := r.run("provision", "data-action", r.hook.URL+"/pe", "--dry-run", "--json")
	if err := json.Unmarshal([]byte(dry.out), &plan); err != nil || !plan.DryRun || len(plan.Changes) < 3 || plan.Changes[0].Method != "POST" || !strings.Contains(dry.out, `"***"`) {
		t.Errorf("%v: %s", err, dry.out)
	}
	r.run("remove", "--dry-run").check(t, 0, "nothing would change")
	if got := r.run("remove", "--dry-run", "--json"); got.code != 0 || !strings.Contains(got.out, `"changes": []`) {
		t.Errorf("of nothing: exit code %d, %s", got.code, got.out)
	}
	if n := len(r.Changes()); n != 0 {
		t.Errorf("%d changes were made", n)
	}
	r.run("provision", "data-action", r.hook.URL+"/pe").check(t, 0, "created  data action  pe-action-map", "the test got through to the edge", `answer: {"status":"accepted"}`)
	r.run("list").check(t, 0, "found  integration  Hookgate", "ENABLED")
	var report provision.Report
	if err := json.Unmarshal([]byte(r.run("provision", "data-action", r.hook.URL+"/pe", "--json", "--no-test").out), &report); err != nil || len(report.Steps) != 4 || report.Test != nil {
		t.Errorf("got %+v, %v", report, err)
	}
	r.run("provision", "data-action", r.hook.URL+"/pe", "--header", "X-Other").check(t, 3, "the test failed: Execute request: ", "did not get through to the edge")
	r.run("remove").check(t, 2, "say --yes")
	r.run("remove", "--dry-run").check(t, 0, "DELETE /api/v2/integrations/actions/")
	r.run("remove", "--yes", "--kind", "open-messaging").check(t, 0)
	if o := r.Org(); len(o.Integrations) != 1 || len(o.Credentials) != 1 || len(o.Actions) != 1 {
		t.Errorf("there is %+v", o)
	}
	r.run("remove", "--yes").check(t, 0, "removed  integration  Hookgate")
	if o := r.Org(); len(o.Integrations)+len(o.Credentials)+len(o.Actions) != 0 {
		t.Errorf("left is %+v", o)
	}
}

func TestGenesysProvisionsOpenMessaging(t *testing.T) {
	r := newGenesysRig(t, genesystest.Admin)
	const url = "https://hooks.example.com/webhooks/genesys/open-messaging"
	r.run("provision", "open-messaging", url, "--name", "staging", "--header", "X-Site: a").check(t, 0, "created  open messaging integration  Hookgate staging")
	r.run("provision", "open-messaging", "https://hooks.example.com:8443/", "--name", "staging").check(t, 2, "calls port 443 only")
	if m := r.Org().Messagings; len(m) != 1 || m[0].Secret != hookSecret || m[0].Headers["X-Site"] != "a" {
		t.Errorf("there is %+v", m)
	}
	r.run("list", "--kind", "open-messaging").check(t, 0, "Hookgate staging", url)
}

func TestGenesysSaysWhenItDidAPart(t *testing.T) {
	r := newGenesysRig(t, genesystest.Admin)
	r.Misbehave(http.MethodPost, "/api/v2/integrations/actions", 1, genesystest.MissingPermission("integrations:action:add"))
	r.run("provision", "data-action", r.hook.URL).check(t, 3, "created  integration  Hookgate", "give the OAuth client a role with integrations:action:add")
	r.run("provision", "data-action", r.hook.URL).check(t, 0, "created    data action  pe-action-map")
	r.Misbehave(http.MethodGet, "/api/v2/integrations", 1, genesystest.MissingPermission("integrations:integration:view"))
	r.run("remove", "--yes").check(t, 1, "integrations:integration:view")
	r.Misbehave(http.MethodDelete, "/api/v2/integrations/credentials/*", 1, genesystest.Failing(500))
	r.run("remove", "--yes").check(t, 3, "removed  data action  pe-action-map")
}

func TestGenesysTakesNoSecretOnTheCommandLineAndAsksForWhatIsMissing(t *testing.T) {
	r := newGenesysRig(t, genesystest.Admin)
	bad := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(bad, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"say which region":                           {"check"},
		"is no region of Genesys Cloud":              {"check", "--region", "moon-1"},
		"exclude each other":                         {"check", "--region", "eu-west-1", "--api-url", "https://api.x.example"},
		"the file is empty":                          {"check", "--region", "eu-west-1", "--client-secret-file", bad},
		"--cacert: ":                                 {"check", "--region", "eu-west-1", "--cacert", bad},
		"unknown flag: --client-secret":              {"check", "--client-secret", "hush"},
		"give the URL of the hook":                   {"provision", "data-action"},
		"begins with https://":                       {"provision", "data-action", "http://hooks.example.com", "--region", "eu-west-1"},
		`"nobody" is not built in`:                   {"provision", "data-action", "https://h.example", "--contract", "nobody"},
		"which a flow cannot give to a data action":  {"provision", "data-action", "https://h.example", "--contract", "open-messaging"},
		"--name: ":                                   {"provision", "open-messaging", "https://h.example", "--name", "a/b"},
		"--kind is data-action or open-messaging":    {"list", "--kind", "all"},
		"--contract and --contract-file exclude":     {"provision", "data-action", "https://h.example", "--contract", "x", "--contract-file", "y"},
		"--header: ":                                 {"provision", "open-messaging", "https://h.example", "--header", "x"},
		"--secret-file: open ":                       {"provision", "open-messaging", "https://h.example", "--secret-file", bad + "x"},
		"the timeout is 1 to 60 seconds":             {"provision", "data-action", "https://h.example", "--timeout-seconds", "61"},
		"the secret has less than 16 characters":     {"provision", "open-messaging", "https://h.example", "--secret-file", r.roots + ".short"},
		"the URL of the API begins with https://: s": {"check", "--api-url", "http://api.mypurecloud.de"},
	} {
		if err := os.WriteFile(r.roots+".short", []byte("short"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.runBare(args...).check(t, 2, want)
	}
	t.Setenv("GENESYS_CLIENT_ID", "")
	r.runBare("check", "--region", "eu-west-1").check(t, 2, "say which OAuth client")
	t.Setenv("GENESYS_CLIENT_ID", "x")
	t.Setenv("GENESYS_CLIENT_SECRET", "")
	r.runBare("check", "--region", "eu-west-1").check(t, 2, "the secret is missing")
	if n := len(r.Calls("", "*")); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestTheHelpOfEachGenesysCommandHasItsPermissions(t *testing.T) {
	r := newGenesysRig(t, genesystest.Roleless)
	for _, j := range jobs {
		help := r.runBare(append(strings.Fields(string(j)), "--help")...)
		help.check(t, 0, provision.Permissions(j)...)
		if len(provision.Permissions(j)) == 0 {
			help.check(t, 0, "a client without a role will do")
		}
	}
}
