package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/servers"
)

// hookPath is where the hooks of these tests are.
const hookPath = "/webhooks/genesys/pe-action-map"

// patientHook is a hook at hookPath with options. Its budget is longer than the
// default: on a busy machine 500 ms are over before an event is kept.
func patientHook(options ...string) string {
	lines := append([]string{"	genesys_webhook " + hookPath + " {", "timeout 5s"}, options...)
	return strings.Join(lines, "\n\t\t") + "\n\t}"
}

// server is a running program.
type server struct {
	t     *testing.T
	dir   string // holds its Caddyfile and its data
	http  string // address of the plain site, host:port
	admin string
	cmd   *exec.Cmd
	log   *logBuffer
	done  chan struct{} // closed when the process has ended
	err   error         // how it ended, once done is closed
}

// logBuffer is what a process wrote, for reading while it runs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start runs the program with a Caddyfile, in which $PORT, $ADMIN and $DIR are
// replaced, on ports that it can have, and waits until it answers. It is killed
// at the end of the test.
func start(t *testing.T, caddyfile string) *server {
	t.Helper()
	var err error
	for range 5 {
		s := &server{t: t, dir: t.TempDir(), http: freeAddr(t), admin: freeAddr(t)}
		s.write(caddyfile)
		if err = s.begin(); err == nil {
			t.Cleanup(s.end)
			return s
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	t.Fatal(err)
	return nil
}

// end kills the program and looks at what it has logged.
func (s *server) end() {
	s.kill()
	if s.t.Failed() {
		s.t.Logf("log of the program:\n%s", tail(s.log.String(), 6000))
	}
	if strings.Contains(s.log.String(), "DATA RACE") {
		s.t.Errorf("the program has a data race:\n%s", s.log.String())
	}
}

// site wraps directives in a Caddyfile with one plain site.
func site(directives string, global ...string) string {
	return fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
	}
	%s
}

http://:$PORT {
	bind 127.0.0.1
%s
	respond 404
}
`, strings.Join(global, "\n"), directives)
}

func (s *server) expand(caddyfile string) string {
	_, port, _ := net.SplitHostPort(s.http)
	return strings.NewReplacer("$PORT", port, "$ADMIN", s.admin, "$DIR", s.dir).Replace(caddyfile)
}

func (s *server) write(caddyfile string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "Caddyfile"), []byte(s.expand(caddyfile)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run starts the process, which must not run yet, and waits until it answers.
func (s *server) run() {
	s.t.Helper()
	if err := s.begin(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) begin() error {
	http.DefaultClient.CloseIdleConnections() // those to a process that is gone
	log, done := new(logBuffer), make(chan struct{})
	cmd := exec.Command(program, "run", "--config", filepath.Join(s.dir, "Caddyfile"), "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir, "GORACE=halt_on_error=0")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it does not outlive a killed test
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.log, s.done = cmd, log, done
	go func() {
		s.err = cmd.Wait()
		close(done)
	}()
	ended := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	answers := false
	within(time.Minute, func() bool { answers = s.answers(); return answers || ended() })
	switch {
	case answers:
		return nil
	case ended():
		return fmt.Errorf("the program ended: %w\n%s", s.err, log)
	}
	s.kill()
	return fmt.Errorf("the program does not answer:\n%s", log)
}

// answers reports whether this process, and no other, has loaded its config.
func (s *server) answers() bool {
	cmdline, err := s.adminRead("/debug/pprof/cmdline")
	if err != nil || !strings.Contains(cmdline, filepath.Join(s.dir, "Caddyfile")) {
		return false
	}
	// It is answered when the config is loaded, and the sites listen.
	config, err := s.adminRead("/config/")
	if err != nil || strings.TrimSpace(config) == "null" {
		return false
	}
	conn, err := net.DialTimeout("tcp", s.http, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// kill ends the process at once, if it runs, and waits for its end.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// terminate asks the process to stop, and waits for its end.
func (s *server) terminate() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-time.After(time.Minute):
		return errors.New("still running a minute after SIGTERM")
	}
}

// command runs the program with arguments, and returns its output.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	dir := t.TempDir()
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// url returns the address of a path on the plain site.
func (s *server) url(path string) string { return "http://" + s.http + path }

// answer is what a sender gets.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// code returns the word for the outcome: the code of a problem, or the status
// of a success.
func (a answer) code() string {
	if c, ok := a.body["code"].(string); ok {
		return c
	}
	c, _ := a.body["status"].(string)
	return c
}

// post sends a body as JSON.
func (s *server) post(body string, header ...string) answer {
	s.t.Helper()
	a, err := send(http.DefaultClient, s.url(hookPath), strings.NewReader(body), header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// send posts a body with a client. Header fields are given in pairs; an empty
// value leaves the field out.
func send(client *http.Client, url string, body io.Reader, header ...string) (answer, error) {
	req, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) (answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	return read(resp)
}

func read(resp *http.Response) (answer, error) {
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			return a, fmt.Errorf("answer is not JSON: %w: %s", err, raw)
		}
	}
	return a, nil
}

// queue returns the counts of the running program.
func (s *server) queue() (q struct{ Ready, Dead int }) {
	s.t.Helper()
	s.adminGet("/hookgate/queue", &q)
	return q
}

// entry is an event as the admin API shows it.
type entry struct {
	Seq         uint64          `json:"seq"`
	EventID     string          `json:"event_id"`
	Hook        string          `json:"hook"`
	Contract    string          `json:"contract"`
	ClientIP    string          `json:"client_ip"`
	Traceparent string          `json:"traceparent"`
	Body        json.RawMessage `json:"body"`
	Fault       *struct {
		Kind, Message string
		Violations    []struct{ Pointer, Code string }
	} `json:"fault"`
}

// events returns all events in a state, with their bodies.
func (s *server) events(state string) []entry {
	s.t.Helper()
	var all []entry
	for after := uint64(0); ; {
		var page struct{ Events []entry }
		s.adminGet(fmt.Sprintf("/hookgate/queue/events?state=%s&values=true&limit=1000&after=%d", state, after), &page)
		if len(page.Events) == 0 {
			return all
		}
		all = append(all, page.Events...)
		after = all[len(all)-1].Seq
	}
}

func (s *server) adminGet(path string, into any) {
	s.t.Helper()
	raw, err := s.adminRead(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(raw), into); err != nil {
		s.t.Fatal(err)
	}
}

// adminRead reads from the admin API.
func (s *server) adminRead(path string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := client.Get("http://" + s.admin + path)
	for n := 0; n < 5 && cutOff(err); n++ { // by the end of the admin server of an old config
		resp, err = client.Get("http://" + s.admin + path)
	}
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("admin API: %s: %s", resp.Status, raw)
	}
	return string(raw), err
}

// cutOff reports whether a connection ended before its answer.
func cutOff(err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) }

// reload loads a Caddyfile into the running program.
func (s *server) reload(caddyfile string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequest(http.MethodPost, "http://"+s.admin+"/load", strings.NewReader(s.expand(caddyfile)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	req.Header.Set("Cache-Control", "must-revalidate") // also if nothing changed
	resp, err := client.Do(req)
	if cutOff(err) {
		// The old admin server may end before its answer is out. Loading the
		// same config once more says what became of it.
		return s.reload(caddyfile)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s", resp.Status, raw)
	}
	http.DefaultClient.CloseIdleConnections() // the old config closes them too
	return nil
}

// freeAddr returns a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", servers.FreePort(t))
}

// eventually polls until the condition holds.
func eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	if !within(limit, condition) {
		t.Fatalf("not within %s: %s", limit, what)
	}
}

// within is eventually for those who report in their own words.
func within(limit time.Duration, condition func() bool) bool {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "..." + s[len(s)-n:]
}

// payload returns an Action Map event with an ID.
func payload(id string) string {
	return strings.Replace(examplePayload, "evt_8f7g6h5j4k3l2m1n0o9p8q7r6s5t4u3v", id, 1)
}

// examplePayload is a whole event.
const examplePayload = `{"campaignId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","campaignName":"Q4_Retention_Outbound","contactId":"98765432-10fe-dcba-0987-654321fedcba",` +
	`"contactNumber":"+14155551234","callOutcome":"answered","agentId":"11223344-5566-7788-99aa-bbccddeeff00","agentName":"Sarah_Jenkins",` +
	`"dispositionCode":"INTERESTED_CALLBACK","dispositionLabel":"Interested - Callback Scheduled","callDurationSeconds":142,` +
	`"timestamp":"2024-05-14T18:32:11.450Z","webhookEventId":"evt_8f7g6h5j4k3l2m1n0o9p8q7r6s5t4u3v"}`

// httpClient keeps its connections.
var httpClient = &http.Client{Timeout: 30 * time.Second}
