package integration

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

func TestWhatHappensCanBeSeenAndHoldsNoPersonalData(t *testing.T) {
	s := start(t, site(patientHook("max_refused off")+`
	hookgate_health
	handle /metrics {
		metrics
	}`, "log {\n\t\tlevel DEBUG\n\t}"))
	s.post(payload("seen-id"))
	s.post(payload("seen-id"))
	s.post(strings.Replace(payload("seen-id"), "answered", "busy", 1))
	s.post("{")
	begin := time.Now()
	for range 100 {
		s.post("{", "Content-Type", "text/plain")
	}
	flood := time.Since(begin)

	// An answer may be out before it is counted and logged.
	var metrics string
	for _, want := range []string{
		`hookgate_requests_total{hook="pe-action-map",outcome="accepted"} 1`,
		`hookgate_requests_total{hook="pe-action-map",outcome="duplicate"} 1`,
		`hookgate_requests_total{hook="pe-action-map",outcome="parked"} 1`,
		`hookgate_requests_total{hook="pe-action-map",outcome="invalid_json"} 1`,
		`hookgate_requests_total{hook="pe-action-map",outcome="unsupported_media_type"} 100`,
		`hookgate_stage_duration_seconds_count{hook="pe-action-map",stage="publish"} 3`,
		`hookgate_queue_events{state="ready"} 1`,
		`hookgate_queue_events{state="dead"} 1`,
		`hookgate_requests_in_flight{hook="pe-action-map"} 0`,
	} {
		if !edge.Within(10*time.Second, func() bool { metrics = s.get("/metrics"); return strings.Contains(metrics, want) }) {
			t.Errorf("no %s", want)
		}
	}
	var lines map[string]int
	once := []string{"debug accepted", "debug duplicate", "info parked", "info invalid_json"}
	edge.Within(10*time.Second, func() bool {
		lines = s.hookLines()
		return !slices.ContainsFunc(once, func(line string) bool { return lines[line] == 0 }) && lines["info unsupported_media_type"] > 0
	})
	for _, want := range once {
		if lines[want] != 1 {
			t.Errorf("%d lines %q, want 1: %v", lines[want], want, lines)
		}
	}
	// A few lines a second.
	if n := lines["info unsupported_media_type"]; n == 0 || n > 10*(2+int(flood/time.Second)) {
		t.Errorf("%d lines of a flood of 100 in %s", n, flood)
	}
	for _, personal := range []string{"4155551234", "Sarah_Jenkins", "seen-id"} {
		if strings.Contains(s.Log.String(), personal) || strings.Contains(metrics, personal) {
			t.Errorf("%s is in the log or in the metrics", personal)
		}
	}
}

// hookLines counts the log lines of hooks by their level and message.
func (s *server) hookLines() map[string]int {
	s.t.Helper()
	lines := map[string]int{}
	for line := range strings.Lines(s.Log.String()) {
		var l struct {
			Level, Logger, Msg, Hook, Event string
			Status                          int
			Publish                         float64
		}
		if json.Unmarshal([]byte(line), &l) != nil || l.Hook == "" {
			continue
		}
		lines[l.Level+" "+l.Msg]++
		if l.Msg == "accepted" && (l.Event == "" || l.Event == "seen-id" || l.Publish == 0) {
			s.t.Errorf("not the line of an event: %s", line)
		}
	}
	return lines
}

func (s *server) get(path string) string {
	s.t.Helper()
	resp, err := http.Get(s.URL(path))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}

func TestHealth(t *testing.T) {
	s := start(t, site("	hookgate_health"))
	if got := s.get("/healthz"); got != `{"status":"ok"}`+"\n" {
		t.Errorf("healthz: %s", got)
	}
	if got := s.get("/readyz"); got != `{"status":"ready"}`+"\n" {
		t.Errorf("readyz: %s", got)
	}
	if a, err := send(httpClient, s.URL("/healthz"), strings.NewReader("{}")); err != nil || a.status != 405 {
		t.Errorf("POST: %d %v", a.status, err)
	}
}

func TestPlaceholdersAndAccessLogHaveTheOutcome(t *testing.T) {
	s := start(t, site("	log\n	header X-Outcome {http.hookgate.hook}/{http.hookgate.event_id}/{http.hookgate.outcome}\n"+patientHook()))
	s.post(payload("logged"))
	eventually(t, 30*time.Second, "the access log has the outcome", func() bool {
		return strings.Contains(s.Log.String(), `"outcome":"accepted"`) && strings.Contains(s.Log.String(), `"hook":"pe-action-map"`)
	})
}

func TestTheQueueCanBeLookedInto(t *testing.T) {
	s := start(t, site(patientHook()))
	s.post(payload("look1"))
	s.post(payload("look2"))
	s.post(strings.Replace(payload("look3"), `"callOutcome":"answered",`, "", 1))
	for range 3 { // looking changes nothing
		out, stderr, code := command(t, "queue", "--address", s.Admin)
		if code != 0 || !strings.Contains(out, "ready  2") || !strings.Contains(out, "dead   1") {
			t.Fatalf("queue: %d\n%s%s", code, out, stderr)
		}
	}
	out, stderr, _ := command(t, "hookgate", "queue", "--json", "--address", s.Admin)
	if strings.TrimSpace(out) != `{"ready":2,"due":0,"in_work":0,"dead":1}` {
		t.Errorf("--json: %s%s", out, stderr)
	}
	out, _, _ = command(t, "queue", "peek", "--address", s.Admin)
	if !strings.Contains(out, "look1") || !strings.Contains(out, "look2") || strings.Contains(out, "look3") || strings.Contains(out, "Sarah") {
		t.Errorf("peek:\n%s", out)
	}
	out, _, _ = command(t, "queue", "peek", "--state", "dead", "--show-values", "--address", s.Admin)
	if !strings.Contains(out, "invalid") || !strings.Contains(out, "Sarah") {
		t.Errorf("peek at dead letters:\n%s", out)
	}
	out, _, _ = command(t, "queue", "peek", "--limit", "1", "--json", "--address", s.Admin)
	var page struct{ Events []map[string]any }
	if err := json.Unmarshal([]byte(out), &page); err != nil || len(page.Events) != 1 || page.Events[0]["event_id"] != "look1" {
		t.Errorf("peek --json: %v\n%s", err, out)
	}
	if _, stderr, code := command(t, "queue", "peek", "--state", "odd", "--address", s.Admin); code != 2 || !strings.Contains(stderr, "--state") {
		t.Errorf("wrong usage: %d %s", code, stderr)
	}
	if _, stderr, code := command(t, "queue", "--address", edge.FreeAddr(t)); code != 1 || !strings.Contains(stderr, "is Hookgate running") {
		t.Errorf("nobody there: %d %s", code, stderr)
	}
}

func TestTheSimulatorRunsAgainstAHook(t *testing.T) {
	s := start(t, site(patientHook()))
	out, stderr, code := command(t, "simulate", s.URL(hookPath), "--count", "200", "--rate", "0", "--duplicates", "0.1",
		"--in-flight", "0.05", "--malformed", "0.1", "--oversized", "0.05", "--slow", "0.02", "--deadline", "20s", "--json")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	var report map[string]any
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("--json: %v\n%s", err, out)
	}
	if q := s.queue(); q.Ready == 0 {
		t.Error("nothing in the queue")
	}
	if _, _, code := command(t, "simulate", s.URL(hookPath), "--count", "5", "--slow", "1", "--deadline", "1ms", "--quiet"); code != 1 {
		t.Errorf("late answers: exit code %d, want 1", code)
	}
}

// The files that are shipped.
func TestShippedCaddyfilesAreFormattedAndValid(t *testing.T) {
	files, err := filepath.Glob("../deploy/*.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../Caddyfile") {
		if out, stderr, code := command(t, "fmt", "--diff", file); code != 0 {
			t.Errorf("%s is not formatted:\n%s%s", file, out, stderr)
		}
		local := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(local, []byte(withFiles(t, readFile(t, file))), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, stderr, code := command(t, "validate", "--config", local); code != 0 {
			t.Errorf("%s is not valid: %s", file, stderr)
		}
	}
}

// A stray empty 200 is a lost event.
func TestTheRootCaddyfileAnswersNothingElse(t *testing.T) {
	raw, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer(
		"http://:8080, https://localhost:8443", "http://:$PORT",
		"	hookgate {", "	admin $ADMIN\n\thookgate {\n\t\tdata_dir $DIR/data",
	).Replace(string(raw))
	s := start(t, config)
	for _, path := range []string{"/", "/webhooks", hookPath + "/", hookPath + "x"} {
		for _, host := range []string{"localhost", "evil.example"} {
			req, _ := http.NewRequest(http.MethodPost, s.URL(path), strings.NewReader(payload("stray")))
			req.Host = host
			if a, err := do(http.DefaultClient, req); err != nil || a.status < 400 {
				t.Errorf("%s%s: %d %v", host, path, a.status, err)
			}
		}
	}
	eventually(t, 30*time.Second, "the hook takes an event", func() bool { return s.post(payload("root")).status < 300 })
}

func TestWhatCannotBeStartedIsSaidInOneSentence(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0") // by somebody who does not share it
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	occupied := strings.NewReplacer("$ADMIN", edge.FreeAddr(t), "$PORT", port, "$DIR", dir).Replace(site("	genesys_webhook"))
	if _, stderr, code := command(t, "run", "--config", write("occupied", occupied), "--adapter", "caddyfile"); code == 0 || !strings.Contains(stderr, "address already in use") {
		t.Errorf("a taken port: %d %s", code, stderr)
	}
	file := write("file", "a file where a folder should be")
	config := strings.NewReplacer("$ADMIN", edge.FreeAddr(t), "$PORT", "0", "$DIR", file).Replace(site("	genesys_webhook"))
	if _, stderr, code := command(t, "run", "--config", write("folder", config), "--adapter", "caddyfile"); code == 0 || !strings.Contains(stderr, file) {
		t.Errorf("a folder that cannot be written: %d %s", code, stderr)
	}
}
