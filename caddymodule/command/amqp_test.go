package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/caddymodule/admin"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// askQueue runs the command as it is typed.
func askQueue(t *testing.T, args ...string) (out string, code int, err error) {
	t.Helper()
	var buf bytes.Buffer
	cmd := newQueue()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&buf)
	cmd.SetErr(&buf)
	err = cmd.ExecuteContext(t.Context())
	if exit, ok := errors.AsType[*ExitError](err); ok {
		code = exit.Code
	}
	return buf.String(), code, err
}

func TestAUserThatMayNotReadIsToldWhatToDo(t *testing.T) {
	t.Setenv(amqpVariable, "")
	for status, test := range map[int]struct{ reason, want string }{
		403: {rabbitmq.ErrMayNotRead.Error(), amqpVariable},
		429: {rabbitmq.ErrWouldTire.Error(), "leave it to the consumer"},
	} {
		answer, err := json.Marshal(map[string]string{"error": test.reason})
		if err != nil {
			t.Fatal(err)
		}
		_, code, err := runQueue(t, status, string(answer), "peek")
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || code != 0 {
			t.Errorf("%d: exit code %d, %v", status, code, err)
		}
	}
}

func TestAWrongURLIsNotShown(t *testing.T) {
	for name, test := range map[string]struct {
		env  string
		args []string
		want string
	}{
		"another scheme":           {"", []string{"--amqp", "http://u:hunter2@h"}, "--amqp: rabbitmq: URL 1: its scheme"},
		"a slash in the password":  {"", []string{"peek", "--amqp", "amqp://u:hunter2/@h"}, "--amqp"},
		"from the environment":     {"amqp://u:hunter2@h:0", nil, amqpVariable + ": rabbitmq: URL 1: its port"},
		"a placeholder of nothing": {"", []string{"--amqp", "amqp://u:hunter2{env.COMMAND_TEST_UNSET}@h"}, "placeholder"},
		"a prefix with a slash":    {"", []string{"--amqp", "amqp://u:hunter2@h", "--prefix", "a/b"}, "prefix"},
		"a process too":            {"", []string{"--amqp", "amqp://u:hunter2@h", "--address", "localhost:2019"}, "use one of them"},
		"a config too":             {"", []string{"peek", "--amqp", "amqp://u:hunter2@h", "--config", "Caddyfile"}, "use one of them"},
	} {
		t.Setenv(amqpVariable, test.env)
		out, code, err := askQueue(t, test.args...)
		if err == nil || code != exitUsage || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: exit code %d, %v", name, code, err)
		}
		if err != nil && strings.Contains(out+err.Error(), "hunter2") {
			t.Errorf("%s: the password is shown: %s%v", name, out, err)
		}
	}
}

func TestAnAddressOnTheCommandLineCountsMoreThanTheEnvironment(t *testing.T) {
	t.Setenv(amqpVariable, "amqp://u:hunter2@127.0.0.1:1/")
	out, _, err := runQueue(t, 200, `{"ready":3,"dead":4}`)
	if err != nil || !strings.Contains(out, "3") {
		t.Errorf("%s%v", out, err)
	}
}

func TestTheQueueInRabbitMQIsLookedIntoWithoutAProcess(t *testing.T) {
	r, err := servers.NewRabbitMQ(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	file, err := filepath.Abs("../../deploy/rabbitmq/definitions.json")
	if err != nil {
		t.Fatal(err)
	}
	const password = "hunter2/with%signs"
	r.Ctl(t, "import_definitions", file)
	for _, user := range []string{"hookgate-edge", "hookgate-operator"} {
		r.Ctl(t, "change_password", user, password)
	}
	as := func(user, password, vhost string) string {
		u := url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: r.Addr, Path: "/" + vhost}
		return u.String()
	}
	edge, operator := as("hookgate-edge", password, "hooks"), as("hookgate-operator", password, "hooks")
	secret := filepath.Join(t.TempDir(), "operator")
	if err := os.WriteFile(secret, []byte(url.QueryEscape(password)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fillQueue(t, edge)

	// run runs it, and looks for the password in all that it says.
	run := func(env string, args ...string) (string, int, error) {
		t.Helper()
		t.Setenv(amqpVariable, env)
		out, code, err := askQueue(t, args...)
		all := out
		if err != nil {
			all += err.Error()
		}
		if strings.Contains(all, "hunter2") {
			t.Errorf("%q: the password is shown: %s", args, all)
		}
		return out, code, err
	}
	gone := strings.Replace(operator, r.Addr, "127.0.0.1:"+servers.FreePort(t), 1)
	for name, test := range map[string]struct {
		env  string
		args []string
		want []string
	}{
		"one node of two is gone":      {"", []string{"--amqp", gone, "--amqp", operator}, []string{"ready  2"}},
		"and in the environment":       {gone + " " + operator, []string{"peek"}, []string{"evt-0"}},
		"counts from the environment":  {operator, nil, []string{"ready  2", "dead   1"}},
		"counts by an option":          {edge, []string{"--amqp", operator}, []string{"ready  2", "dead   1"}},
		"counts with the edge's user":  {edge, nil, []string{"ready  2"}},
		"counts in JSON":               {operator, []string{"--json"}, []string{`{"ready":2,"dead":1}`}},
		"a look":                       {operator, []string{"peek"}, []string{"evt-0", "evt-1"}},
		"a look at the dead":           {operator, []string{"peek", "--state", "dead"}, []string{"parked", "invalid: missing"}},
		"the second one":               {operator, []string{"peek", "--after", "1"}, []string{"2 ", "evt-1"}},
		"a password in a file":         {"", []string{"peek", "--amqp", "amqp://hookgate-operator:{file." + secret + "}@" + r.Addr + "/hooks"}, []string{"evt-0"}},
		"bodies where they are wanted": {operator, []string{"peek", "--show-values", "--json"}, []string{`"body":{"secret":"value"}`}},
	} {
		out, code, err := run(test.env, test.args...)
		if err != nil || code != 0 {
			t.Errorf("%s: exit code %d, %v", name, code, err)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
	}
	if out, _, _ := run(operator, "peek", "--json"); strings.Contains(out, "value") {
		t.Errorf("a body is shown: %s", out)
	} else {
		var events admin.Events
		if err := json.Unmarshal([]byte(out), &events); err != nil || len(events.Events) != 2 {
			t.Errorf("%v: %s", err, out)
		}
	}
	for name, test := range map[string]struct {
		env  string
		args []string
		want string
	}{
		"the edge's user":       {edge, []string{"peek"}, "hookgate-operator"},
		"a wrong password":      {as("hookgate-operator", "hunter22", "hooks"), nil, "refused"},
		"another virtual host":  {as("hookgate-operator", password, "other"), nil, "virtual host"},
		"another prefix":        {operator, []string{"--prefix", "other"}, "--prefix"},
		"a server that is gone": {"amqp://u:hunter2@127.0.0.1:" + servers.FreePort(t) + "/", []string{"peek"}, "RabbitMQ"},
	} {
		if _, code, err := run(test.env, test.args...); err == nil || code == exitUsage || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: exit code %d, %v", name, code, err)
		}
	}
}

// fillQueue publishes two events and parks one.
func fillQueue(t *testing.T, raw string) {
	t.Helper()
	ends, err := rabbitmq.ParseURLs(raw)
	if err != nil {
		t.Fatal(err)
	}
	q, err := rabbitmq.New(rabbitmq.Options{
		Servers: ends.Servers, Vhost: ends.Vhost, Topology: rabbitmq.Passive,
		Credentials: func(context.Context) (rabbitmq.Credentials, error) { return ends.Credentials, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	defer q.Close(ctx)
	event := func(id string) *hook.Event {
		return &hook.Event{ID: id, Hook: "h", Body: []byte(`{"secret":"value"}`), ReceivedAt: time.Now()}
	}
	until := func(do func() error) {
		t.Helper()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for err := do(); err != nil; err = do() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatal(err)
			}
		}
	}
	for _, id := range []string{"evt-0", "evt-1"} {
		until(func() error { _, err := q.Publish(ctx, event(id)); return err })
	}
	until(func() error {
		_, err := q.Park(ctx, event("parked"), hook.Fault{Kind: hook.KindInvalid, Message: "missing"})
		return err
	})
}
