package command_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/caddymodule/command"
	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/integration/servers"
)

// variable names a user of RabbitMQ who may configure.
const variable = "HOOKGATE_AMQP_URL"

// ask runs the command as it is typed.
func ask(t *testing.T, in string, args ...string) (out string, code int, err error) {
	t.Helper()
	var buf bytes.Buffer
	cmd := command.NewDoctor()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(in))
	cmd.SetOut(&buf)
	err = cmd.ExecuteContext(t.Context())
	if exit, ok := errors.AsType[*command.ExitError](err); ok {
		code = exit.Code
	}
	return buf.String(), code, err
}

func put(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const local = ":8080 {\n\tbind 127.0.0.1\n\tgenesys_webhook\n\trespond 404\n}\n"

func TestTheDoctorSaysByItsExitCodeWhatItFound(t *testing.T) {
	t.Setenv(variable, "")
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	downstream := httptest.NewServer(http.NotFoundHandler())
	defer downstream.Close()
	options := "{\n\tgrace_period 5s\n\tservers {\n\t\ttimeouts {\n\t\t\tread_header 5s\n\t\t}\n\t}\n\thookgate {\n\t\tqueue embedded {\n\t\t\tmax_size 1MiB\n\t\t}\n" +
		"\t\tconsumer {\n\t\t\tforward " + downstream.URL + "\n\t\t}\n\t}\n}\n"
	well, warns, bad := options+local, local, "{\n\tadmin :2019\n}\n"+local
	t.Chdir(filepath.Dir(put(t, "Caddyfile", well)))
	empty := t.TempDir()
	for _, tc := range []struct {
		name string
		in   string
		args []string
		code int
		want string // in what it prints, or in the error
	}{
		{"all well", "", nil, 0, "0 fail"},
		{"all well, with a name", "", []string{"--config", put(t, "my.conf", well)}, 0, "0 fail"},
		{"all well, from elsewhere", well, []string{"--config", "-"}, 0, "0 fail"},
		{"all well, in JSON", "", []string{"--json"}, 0, `"fail": 0`},
		{"warnings", warns, []string{"--config", "-"}, 0, "grace_period"},
		{"warnings, strict", warns, []string{"--config", "-", "--strict"}, 1, "grace_period"},
		{"a failure", bad, []string{"--config", "-"}, 1, "it listens on :2019"},
		{"no such file", "", []string{"--config", filepath.Join(empty, "none")}, 2, "reading the config"},
		{"a Caddyfile that is none", "{", []string{"--config", "-"}, 2, "adapting the config"},
		{"JSON that is none", "", []string{"--config", put(t, "a.json", "{")}, 2, "none of Caddy's"},
		{"no hook", ":80\nrespond 404", []string{"--config", "-"}, 2, "no hook"},
		{"an adapter that is none", "", []string{"--config", "-", "--adapter", "yml"}, 2, `no config adapter "yml"`},
		{"an adapter for nothing", "", []string{"--adapter", "caddyfile"}, 2, "--adapter needs --config"},
		{"no time", "", []string{"--timeout", "0s"}, 2, "--timeout"},
		{"a user of RabbitMQ who is none", "", []string{"--amqp", "amqp://host"}, 2, "--amqp"},
		{"a URL of RabbitMQ that is none", "", []string{"--amqp", "http://u:hunter2@host"}, 2, "--amqp"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, code, err := ask(t, tc.in, tc.args...)
			if err != nil {
				out += err.Error()
			}
			if code != tc.code || !strings.Contains(out, tc.want) || strings.Contains(out, "hunter2") {
				t.Errorf("exit code %d, want %d, and %q in\n%s", code, tc.code, tc.want, out)
			}
		})
	}
	t.Chdir(empty)
	if _, code, err := ask(t, ""); code != 2 || !strings.Contains(err.Error(), "there is no Caddyfile") {
		t.Errorf("exit code %d, %v", code, err)
	}
}

func TestTheDoctorAsksTheServers(t *testing.T) {
	t.Setenv(variable, "")
	r, err := servers.NewRabbitMQ(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	definitions, err := filepath.Abs("../../deploy/rabbitmq/definitions.json")
	if err != nil {
		t.Fatal(err)
	}
	const password = "hunter2/with%signs"
	r.Ctl(t, "import_definitions", definitions)
	r.Ctl(t, "change_password", "hookgate-edge", password)
	r.Ctl(t, "set_permissions", "-p", "hooks", "guest", ".*", ".*", ".*")
	redis := servers.StartRedis(t, "--maxmemory", "100mb")
	secret := put(t, "rabbitmq", password+"\n")
	caddyfile := "{\n\thookgate {\n\t\tstore redis redis://" + redis.Addr + "\n\t\tqueue rabbitmq amqp://" + r.Addr +
		"/hooks {\n\t\t\tusername hookgate-edge\n\t\t\tpassword {file." + secret + "}\n\t\t\ttopology passive\n\t\t}\n\t}\n}\n" + local

	look := func(args ...string) (map[string]doctor.Status, int) {
		t.Helper()
		out, code, _ := ask(t, caddyfile, append(args, "--config", "-", "--json", "--timeout", "20s")...)
		if strings.Contains(out, "hunter2") || strings.Contains(out, "guest:guest") {
			t.Errorf("a password is shown: %s", out)
		}
		var report doctor.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatal(err)
		}
		found := map[string]doctor.Status{}
		for _, f := range report.Findings {
			if f.Status == doctor.Fail {
				t.Logf("%+v", f)
			}
			found[f.Check] = f.Status
		}
		return found, code
	}
	found, code := look()
	if code != 3 || found["redis.reach"] != doctor.OK || found["rabbitmq.reach"] != doctor.OK || found["rabbitmq.compare"] != doctor.Skipped {
		t.Errorf("by the edge's user: exit code %d, %v", code, found)
	}
	admin := url.URL{Scheme: "amqp", User: url.UserPassword("guest", "guest"), Host: r.Addr}
	if found, code = look("--amqp", admin.String()); code != 0 || found["rabbitmq.compare"] != doctor.OK {
		t.Errorf("by an administrator: exit code %d, %v", code, found)
	}
	redis.Do("config", "set", "maxmemory-policy", "allkeys-lru")
	if found, code = look(); code != 1 || found["redis.policy"] != doctor.Fail {
		t.Errorf("a Redis that evicts: exit code %d, %v", code, found)
	}
	if found, code = look("--offline"); code != 0 || found["redis.policy"] != "" || found["redis.reach"] != doctor.Skipped {
		t.Errorf("offline: exit code %d, %v", code, found)
	}
	redis.Kill()
	if found, code = look(); code != 1 || found["redis.reach"] != doctor.Fail {
		t.Errorf("a Redis that is gone: exit code %d, %v", code, found)
	}
}
