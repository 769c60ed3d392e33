package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/genesys/genesystest"
	"github.com/hookgate/hookgate/integration/edge"
)

func TestWhatGenesysSendsIsTakenAndOthersAreRefused(t *testing.T) {
	cloud := genesysCloud(t)
	s := start(t, genesysSite(cloud, "", "1h", "allow genesys data-actions"))
	s.ready()
	s.postFrom("127.0.0.2", payload("g1")).want(t, 202, "accepted")
	s.postFrom("127.0.0.3", payload("g2")).want(t, 403, "forbidden")
	s.postFrom("127.0.0.1", payload("g3")).want(t, 403, "forbidden")

	var health struct {
		Allowlist struct {
			Ranges int
			Age    *int `json:"age_seconds"`
		}
	}
	if err := json.Unmarshal([]byte(s.get("/readyz")), &health); err != nil {
		t.Fatal(err)
	}
	if health.Allowlist.Ranges != 2 || health.Allowlist.Age == nil || *health.Allowlist.Age > 60 {
		t.Errorf("/readyz says %+v", health)
	}
	metrics := s.get("/metrics")
	for _, line := range []string{
		"hookgate_allowlist_ranges 2\n", "hookgate_allowlist_age_seconds ", `hookgate_allowlist_fetches_total{result="fetched"} 1` + "\n",
		`hookgate_allowlist_outsiders_total{outcome="denied"} 2` + "\n", `hookgate_allowlist_outsiders_total{outcome="observed"} 0` + "\n",
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics have no %q", line)
		}
	}
	for _, secret := range []string{genesystest.Roleless.Secret, "token-"} {
		if config, err := s.AdminRead("/config/"); err != nil || strings.Contains(config, secret) || strings.Contains(s.Log.String(), secret) {
			t.Errorf("%s is in the config or the log (%v)", secret, err)
		}
	}
}

func TestASourceTakesFromItsServiceWhereTheAddressesAreKnown(t *testing.T) {
	cloud := genesysCloud(t)
	s := start(t, genesysSite(cloud, "", "1h", "source data-action"))
	s.ready()
	s.postFrom("127.0.0.2", payload("d1")).want(t, 202, "accepted")
	s.postFrom("127.0.0.3", payload("d2")).want(t, 403, "forbidden")
}

func TestWithoutAnyListNobodyIsLetInAndNobodyIsBlamed(t *testing.T) {
	cloud := genesysCloud(t)
	cloud.Misbehave("", "/api/v2/ipranges", -1, genesystest.Failing(500))
	s := start(t, genesysSite(cloud, "", "1h", "allow genesys data-actions"))
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		a := s.postFrom(from, payload("n1"))
		a.want(t, 503, "allowlist_unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Error("it does not say when to come back")
		}
	}
	if a := s.look("/readyz"); a.status != 503 || !strings.Contains(a.raw, "allowlist: there is no list of the addresses of genesys cloud yet") {
		t.Errorf("/readyz: %d %s", a.status, a.raw)
	}
	cloud.Behave()
	eventually(t, time.Minute, "the list is there", func() bool { return s.postFrom("127.0.0.2", payload("n2")).status < 300 })
	s.postFrom("127.0.0.1", payload("n3")).want(t, 403, "forbidden")
}

func TestTheListOutlivesGenesysAndARestart(t *testing.T) {
	cloud := genesysCloud(t)
	s := start(t, genesysSite(cloud, "", "1s", "allow genesys data-actions"))
	s.ready()
	cloud.Close()
	eventually(t, time.Minute, "the failure is reported", func() bool { return strings.Contains(s.Log.String(), "what is known stays") })
	s.postFrom("127.0.0.2", payload("o1")).want(t, 202, "accepted")
	s.Kill()
	s.Run()
	s.ready()
	s.postFrom("127.0.0.2", payload("o2")).want(t, 202, "accepted")
	s.postFrom("127.0.0.1", payload("o3")).want(t, 403, "forbidden")
}

func TestEdgesThatShareAStorageShareTheList(t *testing.T) {
	cloud := genesysCloud(t)
	caddyfile := genesysSite(cloud, "storage file_system "+filepath.Join(t.TempDir(), "shared"), "1h", "allow genesys data-actions")
	for _, s := range []*server{start(t, caddyfile), start(t, caddyfile)} {
		s.ready()
		s.postFrom("127.0.0.2", payload("s1")).want(t, 202, "accepted")
		s.postFrom("127.0.0.1", payload("s2")).want(t, 403, "forbidden")
	}
	if n := fetches(cloud); n != 1 {
		t.Errorf("Genesys was asked %d times", n)
	}
	if n := len(cloud.Calls(http.MethodPost, "/oauth/token")); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
}

func TestANewListCountsAndOneThatHasShrunkAfterThreeTimes(t *testing.T) {
	cloud := genesysCloud(t)
	cloud.SetRanges(genesystest.Outbound("data-actions", "127.0.0.2/32", "127.0.0.4/32", "127.0.0.6/32")...)
	s := start(t, genesysSite(cloud, "", "1s", "allow genesys data-actions"))
	s.ready()
	s.postFrom("127.0.0.8", payload("l1")).want(t, 403, "forbidden")
	cloud.SetRanges(genesystest.Outbound("data-actions", "127.0.0.2/32", "127.0.0.4/32", "127.0.0.6/32", "127.0.0.8/32")...)
	eventually(t, time.Minute, "an address was added", func() bool { return s.postFrom("127.0.0.8", payload("l2")).status < 300 })

	cloud.SetRanges(genesystest.Outbound("data-actions", "127.0.0.2/32")...)
	eventually(t, time.Minute, "the addresses went", func() bool { return s.postFrom("127.0.0.8", payload("l3")).status == 403 })
	s.postFrom("127.0.0.2", payload("l4")).want(t, 202, "accepted")
	if n := strings.Count(s.Log.String(), "has shrunk to less than a half"); n != 2 {
		t.Errorf("it was held back %d times", n)
	}
	cloud.SetRanges()
	before := fetches(cloud)
	eventually(t, time.Minute, "the empty list was fetched", func() bool { return fetches(cloud) >= before+4 })
	s.postFrom("127.0.0.2", payload("l5")).want(t, 202, "accepted")
}

func TestAReloadFetchesNothing(t *testing.T) {
	cloud := genesysCloud(t)
	caddyfile := genesysSite(cloud, "storage file_system $DIR/one", "1h", "allow genesys data-actions")
	s := start(t, caddyfile)
	s.ready()
	for n := range 3 {
		// Another storage, so that the list cannot come from there.
		next := strings.Replace(caddyfile, "$DIR/one", fmt.Sprintf("$DIR/%d", n), 1)
		if err := s.Reload(next); err != nil {
			t.Fatal(err)
		}
		s.postFrom("127.0.0.2", payload(fmt.Sprint("r", n))).want(t, 202, "accepted")
	}
	if err := s.Reload(strings.Replace(caddyfile, "respond 404", "fail_fast nonsense", 1)); err == nil {
		t.Error("a bad config was loaded")
	}
	s.postFrom("127.0.0.2", payload("r9")).want(t, 202, "accepted")
	if n := fetches(cloud); n != 1 {
		t.Errorf("Genesys was asked %d times", n)
	}
}

func TestAListOnTrialLetsEverybodyInAndCounts(t *testing.T) {
	cloud := genesysCloud(t)
	s := start(t, genesysSite(cloud, "", "1h", "allow genesys data-actions {\n\t\t\tobserve\n\t\t}"))
	s.ready()
	s.postFrom("127.0.0.2", payload("t1")).want(t, 202, "accepted")
	s.postFrom("127.0.0.9", payload("t2")).want(t, 202, "accepted")
	if metrics := s.get("/metrics"); !strings.Contains(metrics, `hookgate_allowlist_outsiders_total{outcome="observed"} 1`+"\n") {
		t.Error("it was not counted")
	}
	eventually(t, time.Minute, "it is logged", func() bool { return strings.Contains(s.Log.String(), `"address":"127.0.0.9"`) })
	if strings.Contains(s.Log.String(), `"address":"127.0.0.2"`) {
		t.Error("an address of the list was logged")
	}
}

func TestAConfigWithGenesysIsValidatedOffline(t *testing.T) {
	cloud := genesysCloud(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	write := func(text string) {
		t.Helper()
		text = strings.NewReplacer("$PORT", "0", "$ADMIN", "off", "$DIR", dir).Replace(text)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(genesysSite(cloud, "", "1h", "allow genesys data-actions"))
	if out, errs, code := edge.Command(t, program, "validate", "--config", file, "--adapter", "caddyfile"); code != 0 {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if n := len(cloud.Calls("", "*")); n != 0 {
		t.Errorf("%d calls were made", n)
	}
	write(site(patientHook("allow genesys data-actions")))
	if _, errs, code := edge.Command(t, program, "validate", "--config", file, "--adapter", "caddyfile"); code == 0 || !strings.Contains(errs, "need the global option hookgate to have: genesys <region>") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestAReloadThatChangesHowGenesysIsAskedTurnsNobodyAway(t *testing.T) {
	cloud := genesysCloud(t)
	caddyfile := func(n int) string {
		return genesysSite(cloud, "", fmt.Sprintf("%dh", 1+n), "allow genesys data-actions")
	}
	s := start(t, caddyfile(0))
	s.ready()
	cloud.Close() // what is known is in the storage
	stop, done := make(chan struct{}), make(chan []string)
	go func() {
		var bad []string
		for n := 0; ; n++ {
			select {
			case <-stop:
				done <- bad
				return
			default:
			}
			// A connection may be reset while the sockets change: docs/operations.md.
			if a, err := s.sendFrom("127.0.0.2", payload(fmt.Sprint("reload-", n))); err == nil && a.status != 202 {
				bad = append(bad, a.raw)
			}
		}
	}()
	for n := range 8 {
		if err := s.Reload(caddyfile(n + 1)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if bad := <-done; len(bad) > 0 {
		t.Errorf("%d were turned away: %s", len(bad), bad[0])
	}
	s.postFrom("127.0.0.1", payload("r-foreign")).want(t, 403, "forbidden")
}
