package integration

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/servers"
)

// An edge whose user may only publish, and an operator who looks.
func TestTheOperatorSeesWhatTheEdgeMayNotRead(t *testing.T) {
	r, err := servers.NewRabbitMQ(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	definitions, err := filepath.Abs("../deploy/rabbitmq/definitions.json")
	if err != nil {
		t.Fatal(err)
	}
	const password = "hunter2"
	r.Ctl(t, "import_definitions", definitions)
	for _, user := range []string{"hookgate-edge", "hookgate-operator"} {
		r.Ctl(t, "change_password", user, password)
	}
	secret := filepath.Join(t.TempDir(), "rabbitmq")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, strings.Replace(site(patientHook()), "data_dir $DIR/data", `data_dir $DIR/data
		queue rabbitmq amqp://`+r.Addr+`/hooks {
			username hookgate-edge
			password {file.`+secret+`}
			topology passive
		}`, 1))
	eventually(t, time.Minute, "an event is taken", func() bool { return s.post(payload("seen-id")).status == 202 })

	t.Setenv("HOOKGATE_AMQP_URL", "")
	out, stderr, code := command(t, "queue", "--address", s.Admin)
	if code != 0 || !strings.Contains(out, "ready  1") {
		t.Errorf("counts through the edge: %d %s%s", code, out, stderr)
	}
	out, stderr, code = command(t, "queue", "peek", "--address", s.Admin)
	if code != 1 || !strings.Contains(stderr, "HOOKGATE_AMQP_URL") || strings.Contains(out+stderr, "seen-id") {
		t.Errorf("a look through the edge: %d %s%s", code, out, stderr)
	}
	operator := url.URL{Scheme: "amqp", User: url.UserPassword("hookgate-operator", password), Host: r.Addr, Path: "/hooks"}
	t.Setenv("HOOKGATE_AMQP_URL", operator.String())
	out, stderr, code = command(t, "queue", "peek")
	if code != 0 || !strings.Contains(out, "seen-id") || strings.Contains(out+stderr, password) {
		t.Errorf("the operator's look: %d %s%s", code, out, stderr)
	}
}
