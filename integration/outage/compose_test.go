package outage

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// composition is what is read of deploy/compose.yaml.
type composition struct {
	Services map[string]struct {
		Command     []string
		Environment map[string]string
	}
}

// There is no engine here. Its programs are started by hand, with the files, the
// arguments and the variables that compose.yaml gives them, and other addresses.
func TestWhatTheComposeFileStartsWorksTogether(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "bash", "../../deploy/secrets.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var compose composition
	if err := yaml.Unmarshal([]byte(shipped(t, "compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	ports := servers.FreePorts(t, 2)
	here := strings.NewReplacer(
		"/run/secrets", dir,
		"@redis:6379", "@$REDIS", "redis://redis:6379", "redis://$REDIS",
		"@rabbitmq:5672", "@$RABBITMQ", "amqp://rabbitmq:5672", "amqp://$RABBITMQ",
		"http://:8080", "http://:$PORT", "https://localhost:8443", "https://localhost:"+ports[0],
		"skip_install_trust", "skip_install_trust\n\tadmin $ADMIN\n\tdefault_bind 127.0.0.1\n\thttps_port "+ports[0],
		"${HOOKGATE_FORWARD:-log}", "log", ":9181", "127.0.0.1:"+ports[1],
		"disk_free_limit.absolute = 1GB", "disk_free_limit.absolute = 50MB",
	)

	var settings []string
	for line := range strings.Lines(shipped(t, "rabbitmq/rabbitmq.conf")) {
		settings = append(settings, here.Replace(line))
	}
	rabbit, err := servers.NewRabbitMQ(t.TempDir(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rabbit.Close)
	args := compose.Services["redis"].Command
	if len(args) < 3 || args[0] != "redis-server" {
		t.Fatalf("Redis is started by %q", args)
	}
	args = slices.Clone(args[1:])
	for i := range args {
		args[i] = here.Replace(args[i])
	}
	redis := servers.StartRedis(t, args...)
	there := strings.NewReplacer("$REDIS", redis.Addr, "$RABBITMQ", rabbit.Addr)

	e := edge.Start(t, program, there.Replace(here.Replace(shipped(t, "compose.Caddyfile"))))
	edge.Eventually(t, time.Minute, "the edge is ready", func() bool { return status(t, e.URL("/readyz")) == http.StatusOK })
	secret := strings.TrimSpace(content(t, filepath.Join(dir, "edge_token")))
	take := func(id string, want int) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.URL(hookPath), strings.NewReader(payload(id)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Edge-Token", secret)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a, err := read(resp)
		if err != nil || a.status != want {
			t.Errorf("%s: %d %s, %v", id, a.status, a.raw, err)
		}
	}
	take("evt-1", http.StatusAccepted)
	take("evt-1", http.StatusOK)

	operator := "amqp://hookgate-operator:" + content(t, filepath.Join(dir, "rabbitmq_operator")) + "@" + rabbit.Addr + "/hooks"
	t.Setenv("HOOKGATE_AMQP_URL", operator)
	if out, errs, code := edge.Command(t, program, "queue", "peek"); code != 0 || !strings.Contains(out, "evt-1") {
		t.Errorf("a look into the queue: %d\n%s%s", code, out, errs)
	}

	for _, name := range []string{"consumer_queue", "consumer_inbox"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(there.Replace(here.Replace(content(t, path)))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := startConsumer(t, compose.Services["consumer"].Environment, here)
	edge.Eventually(t, time.Minute, "the event is processed", func() bool { return strings.Contains(log.String(), "event processed") })
	edge.Eventually(t, time.Minute, "the consumer is ready", func() bool {
		return status(t, "http://"+net.JoinHostPort("127.0.0.1", ports[1])+"/readyz") == http.StatusOK
	})
	if out, errs, code := edge.Command(t, program, "doctor", "--config", filepath.Join(e.Dir, "Caddyfile")); !strings.Contains(out, " 0 fail") {
		t.Errorf("the doctor: %d\n%s%s", code, out, errs)
	}
	if s := e.Log.String() + log.String(); strings.Contains(s, "may not look") || strings.Contains(s, secret) {
		t.Errorf("the programs say\n%s", edge.Tail(s, 6000))
	}
}

// startConsumer starts hookgate-consumer, which is killed at the end of the test,
// and returns its log.
func startConsumer(t *testing.T, environment map[string]string, here *strings.Replacer) *edge.Log {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hookgate-consumer")
	build := exec.CommandContext(t.Context(), "go", "build", "-race", "-buildvcs=false", "-tags", edge.Tags, "-o", path, "github.com/hookgate/hookgate/cmd/hookgate-consumer")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the consumer: %v\n%s", err, out)
	}
	log := new(edge.Log)
	cmd := exec.Command(path)
	for name, value := range environment {
		cmd.Env = append(cmd.Env, name+"="+here.Replace(value))
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of the consumer:\n%s", edge.Tail(log.String(), 4000))
		}
	})
	return log
}

// status is that of an answer, or 0 where there is none.
func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	a, err := read(resp)
	if err != nil {
		t.Fatal(err)
	}
	return a.status
}

// shipped is a file of deploy.
func shipped(t *testing.T, name string) string {
	t.Helper()
	return content(t, filepath.Join("../../deploy", name))
}

func content(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
