package command

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// simulated is what a run of the command leaves behind.
type simulated struct {
	out, errs string
	err       error
	code      int
}

// runSimulate runs the command as a user would.
func runSimulate(t *testing.T, args ...string) simulated {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := newSimulate()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := simulated{err: cmd.ExecuteContext(ctx)}
	s.out, s.errs = out.String(), errs.String()
	if s.err != nil {
		exit, ok := errors.AsType[*ExitError](s.err)
		if !ok {
			t.Fatalf("not an ExitError: %v", s.err)
		}
		s.code = exit.Code
	}
	return s
}

// hookServer answers every event, after a pause, and keeps the last header.
type hookServer struct {
	*httptest.Server
	mu     sync.Mutex
	header http.Header
	count  int
}

func newHookServer(t *testing.T, pause time.Duration, status int, answer string) *hookServer {
	t.Helper()
	h := &hookServer{}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-time.After(pause)
		h.mu.Lock()
		h.header = r.Header.Clone()
		h.count++
		h.mu.Unlock()
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(func() { h.Close() })
	return h
}

const acceptedAnswer = `{"status":"accepted"}`

func TestSimulateExitCodes(t *testing.T) {
	fine := newHookServer(t, 0, 202, acceptedAnswer)
	fine.Start()
	late := newHookServer(t, 80*time.Millisecond, 202, acceptedAnswer)
	late.Start()
	moved := newHookServer(t, 0, 308, "")
	moved.Start()
	strict := newHookServer(t, 0, 401, `{"code":"unauthorized"}`)
	strict.Start()
	for name, test := range map[string]struct {
		args []string
		code int
		out  string
	}{
		"answers in time are fine":        {[]string{fine.URL, "--deadline", "10s"}, 0, "OK: 5 answers"},
		"late answers fail":               {[]string{late.URL, "--deadline", "20ms"}, 1, "FAILED: 5 answers later than 20ms"},
		"redirects fail":                  {[]string{moved.URL, "--deadline", "10s"}, 1, "redirects"},
		"malformed bodies accepted fail":  {[]string{fine.URL, "--deadline", "10s", "--malformed", "100%"}, 1, "taken"},
		"refused events say why and pass": {[]string{strict.URL, "--deadline", "10s"}, 0, "--secret-header"},
	} {
		t.Run(name, func(t *testing.T) {
			got := runSimulate(t, append(test.args, "--count", "5", "--rate", "0")...)
			if got.code != test.code || !strings.Contains(got.out, test.out) {
				t.Errorf("exit code %d, want %d, with %q in:\n%s", got.code, test.code, test.out, got.out)
			}
			if got.errs != "" {
				t.Errorf("stderr: %s", got.errs)
			}
		})
	}
}

func TestSimulateUsageErrorsHelp(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	url := "http://127.0.0.1:1/"
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no URL":                   {nil, "give one URL"},
		"two URLs":                 {[]string{url, url}, "give one URL"},
		"another scheme":           {[]string{"ftp://h/"}, "http:// or https://"},
		"an unknown flag":          {[]string{url, "--fast"}, "--fast"},
		"a share of 10":            {[]string{url, "--malformed", "10"}, "10%"},
		"a share of 101%":          {[]string{url, "--slow", "101%"}, "10%"},
		"a share of nothing":       {[]string{url, "--slow", ""}, "10%"},
		"shares beyond 1":          {[]string{url, "--slow", "60%", "--malformed", "0.6"}, "together"},
		"a count of 0":             {[]string{url, "--count", "0"}, "--count"},
		"a duration of 0":          {[]string{url, "--duration", "0s"}, "--duration"},
		"a concurrency of 0":       {[]string{url, "--concurrency", "0"}, "--concurrency"},
		"a deadline of 0":          {[]string{url, "--deadline", "0s"}, "--deadline"},
		"a body of 0 bytes":        {[]string{url, "--max-body", "0"}, "--max-body"},
		"a negative rate":          {[]string{url, "--rate", "-1"}, "rate"},
		"a header without a colon": {[]string{url, "--header", "s3cret"}, "NAME: VALUE"},
		"a secret without a name":  {[]string{url, "--secret-header", "s3cret"}, "--secret-header"},
		"a secret with a newline":  {[]string{url, "--secret-header", "X: s3cret\ns3cret"}, "cannot be sent"},
		"no such file":             {[]string{url, "--cacert", empty + ".none"}, "--cacert"},
		"no certificate":           {[]string{url, "--cacert", empty}, "no certificate"},
		"pairs one at a time":      {[]string{url, "--in-flight", "1", "--concurrency", "1"}, "concurrency"},
	} {
		t.Run(name, func(t *testing.T) {
			got := runSimulate(t, test.args...)
			if got.code != 2 || !strings.Contains(fmt.Sprint(got.err), test.want) {
				t.Errorf("exit code %d with %v, want 2 with %q", got.code, got.err, test.want)
			}
			if strings.Contains(fmt.Sprint(got.err), "s3cret") {
				t.Errorf("the error tells the secret: %v", got.err)
			}
		})
	}
}

func TestSimulateTakesSecretsFromFlagsAndEnvironment(t *testing.T) {
	server := newHookServer(t, 0, 202, acceptedAnswer)
	server.Start()
	sent := func(args ...string) http.Header {
		t.Helper()
		if got := runSimulate(t, append([]string{server.URL, "--count", "1", "--deadline", "10s"}, args...)...); got.code != 0 {
			t.Fatalf("%v\n%s", got.err, got.out)
		}
		server.mu.Lock()
		defer server.mu.Unlock()
		return server.header
	}
	if h := sent(); h.Get("X-Edge-Token") != "" || h.Get("X-Hub-Signature-256") != "" {
		t.Errorf("a secret from nowhere: %v", h)
	}
	t.Setenv("HOOKGATE_SIMULATE_SECRET", "X-Edge-Token: from-env")
	t.Setenv("HOOKGATE_SIMULATE_HMAC", "key-from-env")
	h := sent()
	if h.Get("X-Edge-Token") != "from-env" || !strings.HasPrefix(h.Get("X-Hub-Signature-256"), "sha256=") {
		t.Errorf("header %v", h)
	}
	if h := sent("--secret-header", "X-Edge-Token: from-flag", "--header", "A: 1", "--header", "A: 2"); h.Get("X-Edge-Token") != "from-flag" || len(h["A"]) != 2 {
		t.Errorf("header %v", h)
	}
}

func TestSimulateDurationReplacesTheCount(t *testing.T) {
	server := newHookServer(t, 0, 202, acceptedAnswer)
	server.Start()
	for name, test := range map[string]struct {
		args []string
		want func(n int) bool
	}{
		"only a duration has no count":    {[]string{"--duration", "400ms", "--rate", "20"}, func(n int) bool { return n >= 2 && n <= 9 }},
		"both end at whichever is first":  {[]string{"--duration", "30s", "--count", "3", "--rate", "0"}, func(n int) bool { return n == 3 }},
		"a duration outlasts the default": {[]string{"--duration", "2s", "--rate", "0"}, func(n int) bool { return n > 500 }},
	} {
		t.Run(name, func(t *testing.T) {
			got := runSimulate(t, append([]string{server.URL, "--json", "--deadline", "10s"}, test.args...)...)
			var report struct {
				Events int
				OK     bool
			}
			if err := json.Unmarshal([]byte(got.out), &report); err != nil {
				t.Fatalf("%v in %s", err, got.out)
			}
			if !test.want(report.Events) || !report.OK {
				t.Errorf("%d events, OK %v", report.Events, report.OK)
			}
		})
	}
}

func TestSimulateQuietTellsOnlyTheVerdict(t *testing.T) {
	server := newHookServer(t, 0, 202, acceptedAnswer)
	server.Start()
	got := runSimulate(t, server.URL, "--count", "2", "--quiet", "--deadline", "10s")
	if got.out != "OK: 2 answers, none later than 10s\n" || got.errs != "" {
		t.Errorf("stdout %q, stderr %q", got.out, got.errs)
	}
}

func TestSimulateTrustsTheGivenCertificates(t *testing.T) {
	server := newHookServer(t, 0, 202, acceptedAnswer)
	server.StartTLS()
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"no certificate is known": {nil, 1},
		"one is given":            {[]string{"--cacert", file}, 0},
		"none is verified":        {[]string{"--insecure"}, 0},
		"both make no sense":      {[]string{"--insecure", "--cacert", file}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := runSimulate(t, append([]string{server.URL, "--count", "1", "--deadline", "10s"}, test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d\n%s", got.code, test.code, got.out)
			}
		})
	}
}

func TestSimulateStopsAtCtrlCAndStillReports(t *testing.T) {
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		once.Do(func() {
			if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
				t.Errorf("kill: %v", err)
			}
		})
		fmt.Fprint(w, acceptedAnswer)
	}))
	defer server.Close()
	got := runSimulate(t, server.URL, "--duration", "50s", "--rate", "20", "--deadline", "10s")
	if got.code != 0 || !strings.Contains(got.out, "stopped early") {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
}

func TestExitErrorsCarryTheirCause(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", &ExitError{Code: 2, Err: io.EOF})
	if !errors.Is(err, io.EOF) || err.Error() != "wrapped: EOF" {
		t.Errorf("%v", err)
	}
	if text := (&ExitError{Code: 3}).Error(); text != "exit code 3" {
		t.Errorf("without a cause: %q", text)
	}
}
