package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

func runTopology(args ...string) (string, error) {
	cmd := newTopology()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.Execute()
	return out.String(), err
}

func TestATopologyIsPlannedWithoutAServer(t *testing.T) {
	t.Setenv(amqpVariable, "")
	out, err := runTopology("plan", "--json", "--prefix", "hooks", "--queue", "crm", "--celery", "tasks", "--retry", "5s,2m")
	if err != nil {
		t.Fatal(err)
	}
	var plan []rabbitmq.Entity
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, e := range plan {
		names[e.Kind+" "+e.Name] = true
	}
	for _, want := range []string{
		"exchange hooks", "exchange hooks.dlx", "exchange hooks.retry", "exchange hooks.direct", "exchange hooks.celery",
		"queue hooks.events", "queue hooks.dead", "queue hooks.retry.5s", "queue hooks.retry.2m", "queue crm", "queue tasks",
	} {
		if !names[want] {
			t.Errorf("%s is not planned", want)
		}
	}
	if out, err = runTopology("plan", "--no-retry"); err != nil || strings.Contains(out, "retry") {
		t.Errorf("without retries: %v\n%s", err, out)
	}
}

func TestATopologyNeedsToKnowItsServer(t *testing.T) {
	t.Setenv(amqpVariable, "")
	for name, args := range map[string][]string{
		"none":          {"verify"},
		"no URL":        {"apply", "--amqp", "host:5672"},
		"not a prefix":  {"plan", "--prefix", "a b"},
		"with a secret": {"verify", "--amqp", "amqp://user:hunter2@host:port/"},
	} {
		out, err := runTopology(args...)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(out+err.Error(), "hunter2") {
			t.Errorf("%s: the password is shown", name)
		}
		if exit, ok := errors.AsType[*ExitError](err); name != "not a prefix" && (!ok || exit.Code != exitUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATopologySaysWhatToDo(t *testing.T) {
	const note = "Bindings are unknown because"
	seen := []rabbitmq.Entity{
		{Kind: "queue", Name: "hookgate.dead", Type: "quorum", State: rabbitmq.Missing},
		{Kind: "binding", Name: "hookgate.dlx", Key: "#", To: "hookgate.dead", State: rabbitmq.Unknown},
	}
	var verified, planned, made bytes.Buffer
	if err := errors.Join(
		printTopology(&verified, seen, false),
		printTopology(&planned, seen, true),
		printTopology(&made, []rabbitmq.Entity{{Kind: "binding", State: rabbitmq.Present}}, false),
	); err != nil {
		t.Fatal(err)
	}
	if out := verified.String(); !strings.Contains(out, "STATE") || !strings.Contains(out, note) {
		t.Errorf("what was looked at:\n%s", out)
	}
	if out := planned.String(); strings.Contains(out, "STATE") || strings.Contains(out, "unknown") {
		t.Errorf("a plan, of which nothing is known:\n%s", out)
	}
	if out := made.String(); strings.Contains(out, note) {
		t.Errorf("what was made:\n%s", out)
	}
	for command, want := range map[string]string{"verify": "hookgate topology apply makes", "apply": "the details say why"} {
		if err := unsettled(seen, command); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s ends with %v", command, err)
		}
	}
}
