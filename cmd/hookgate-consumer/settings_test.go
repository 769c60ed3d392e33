package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// environment is a map as the environment.
func environment(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

var needed = []string{"--queue", "amqp://rabbit", "--forward", "http://crm", "--inbox", "redis://redis"}

func with(args ...string) []string { return append(append([]string{}, needed...), args...) }

func TestTheCommandLineGoesBeforeTheEnvironment(t *testing.T) {
	env := environment(map[string]string{
		"HOOKGATE_QUEUE": "amqp://a amqp://b", "HOOKGATE_FORWARD": "http://elsewhere", "HOOKGATE_INBOX": "none",
		"HOOKGATE_WORK_LIMIT": "90s", "HOOKGATE_RETRY": "1s,2s", "HOOKGATE_CONCURRENCY": "", "HOOKGATE_VERSION": "2.1",
		"HOOKGATE_JSON": "false", "HOOKGATE_HEADER": "X-A: b c",
	})
	s, err := parse([]string{"--forward", "http://crm", "--prefetch=4"}, env, os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	want := &settings{
		queue: []string{"amqp://a", "amqp://b"}, forward: "http://crm", inbox: []string{"none"},
		retry: []time.Duration{time.Second, 2 * time.Second}, concurrency: 8, prefetch: 4, workLimit: 90 * time.Second,
		timeout: 30 * time.Second, grace: 10 * time.Second, prefix: "hookgate", topology: "declare", logLevel: "info",
	}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(settings{}), cmpopts.IgnoreFields(settings{}, "header", "headers", "queueAt", "inboxAt")); diff != "" {
		t.Error(diff)
	}
	if s.header.Get("X-A") != "b c" {
		t.Error(s.header)
	}
}

func TestAURLMayStandInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(path, []byte("amqp://user:hunter2@rabbit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := parse([]string{"--queue", "@" + path, "--forward", "log", "--inbox", "none"}, environment(nil), os.Stdout)
	if err != nil || s.queue[0] != "amqp://user:hunter2@rabbit" {
		t.Error(s, err)
	}
}

func TestTheDatabaseMayStandInTheEnvironment(t *testing.T) {
	s, err := parse([]string{"--queue", "amqp://rabbit"}, environment(map[string]string{
		"HOOKGATE_POSTGRES": "host=db user=hookgate_consumer", "HOOKGATE_TABLE": "hookgate.events",
	}), os.Stdout)
	if err != nil || s.postgres != "host=db user=hookgate_consumer" || s.table != "hookgate.events" {
		t.Error(s, err)
	}
}

func TestAHandlerOnTheCommandLineGoesBeforeAnotherInTheEnvironment(t *testing.T) {
	env := environment(map[string]string{
		"HOOKGATE_POSTGRES": "host=db", "HOOKGATE_TABLE": "a.b", "HOOKGATE_FORWARD": "http://crm", "HOOKGATE_INBOX": "redis://redis", "HOOKGATE_QUEUE": "amqp://rabbit",
	})
	if s, err := parse([]string{"--forward", "log"}, env, os.Stdout); err != nil || s.forward != "log" || s.postgres+s.table != "" || len(s.inbox) != 1 {
		t.Error(s, err)
	}
	if s, err := parse([]string{"--postgres", "host=other"}, env, os.Stdout); err != nil || s.postgres != "host=other" || s.table != "a.b" || s.forward != "" || len(s.inbox) != 0 {
		t.Error(s, err)
	}
	if _, err := parse(nil, env, os.Stdout); err == nil {
		t.Error("one of both is taken, and nobody knows which")
	}
}

func TestWhatCannotBeDoneIsSaidAtOnce(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	word := filepath.Join(t.TempDir(), "word")
	if err := os.WriteFile(word, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"no queue":                    {args: []string{"--forward", "log", "--inbox", "none"}, want: "--queue is missing"},
		"no forward":                  {args: []string{"--queue", "amqp://rabbit", "--inbox", "none"}, want: "--forward or --postgres is missing"},
		"two handlers":                {args: with("--postgres", "postgres://u:hunter2@db/app", "--table", "a.b"), want: "both there"},
		"an inbox too many":           {args: []string{"--queue", "amqp://r", "--postgres", "postgres://u:hunter2@db/app", "--table", "a.b", "--inbox", "redis://r"}, want: "with --postgres the inbox is a table"},
		"no table":                    {args: []string{"--queue", "amqp://r", "--postgres", "postgres://u:hunter2@db/app"}, want: "needed together"},
		"a table for nothing":         {args: with("--table", "a.b"), want: "needed together"},
		"a table that is none":        {args: []string{"--queue", "amqp://r", "--postgres", "postgres://u:hunter2@db/app", "--table", "events"}, want: "write schema.table"},
		"a DSN that is none":          {args: []string{"--queue", "amqp://r", "--postgres", "postgres://u:hunter2@db:port/app", "--table", "a.b"}, want: "--postgres: postgres: the DSN"},
		"a DSN in no file":            {args: []string{"--queue", "amqp://r", "--postgres", "@/does/not/exist", "--table", "a.b"}, want: "no such file"},
		"a prefix for nothing":        {args: []string{"--queue", "amqp://r", "--forward", "log", "--inbox", "none", "--inbox-prefix", "a:"}, want: "in Redis"},
		"a sentinel of PostgreSQL":    {args: []string{"--queue", "amqp://r", "--forward", "log", "--inbox", "postgres://db/x", "--inbox-sentinel", "m"}, want: "in Redis"},
		"a sentinel without a master": {args: with("--inbox-sentinel-file", "a"), want: "--inbox-sentinel, which is missing"},
		"a sentinel's file not there": {args: with("--inbox-sentinel", "m", "--inbox-sentinel-file", "/does/not/exist"), want: "no such file"},
		"a sentinel's file of a word": {args: with("--inbox-sentinel", "m", "--inbox-sentinel-file", word), want: "user:password"},
		"no inbox":                    {args: []string{"--queue", "amqp://rabbit", "--forward", "log"}, want: "--inbox none"},
		"an unknown flag":             {args: with("--speed", "1"), want: "unknown flag"},
		"an argument":                 {args: with("hunter2"), want: "no flags"},
		"a queue of another kind":     {args: with("--queue", "x"), want: "--queue"},
		"an unknown queue":            {args: []string{"--queue", "kafka://u:hunter2@k", "--forward", "log", "--inbox", "none"}, want: "amqp, amqps"},
		"an unknown inbox":            {args: []string{"--queue", "amqp://r", "--forward", "log", "--inbox", "file://u:hunter2@k"}, want: "redis, rediss, postgres, postgresql"},
		"an inbox on two servers":     {args: []string{"--queue", "amqp://r", "--forward", "log", "--inbox", "postgres://u:hunter2@a/x", "--inbox", "postgres://b/x"}, want: "one URL"},
		"an inbox that is no DSN":     {args: []string{"--queue", "amqp://r", "--forward", "log", "--inbox", "postgres://u:hunter2@a/x?sslmode=loud"}, want: "--inbox: postgres: the DSN"},
		"a queue that is no URL":      {args: []string{"--queue", "amqp://u:hunter2#@k:x", "--forward", "log", "--inbox", "none"}, want: "percent-encoded"},
		"a forward that is no URL":    {args: []string{"--queue", "amqp://r", "--forward", "u:hunter2@k", "--inbox", "none"}, want: "forward"},
		"tiers that go down":          {args: with("--retry", "2s,1s"), want: "ascending"},
		"a tier below a second":       {args: with("--retry", "1ms"), want: "second"},
		"no concurrency":              {args: with("--concurrency", "0"), want: "at least 1"},
		"no time to work":             {args: with("--work-limit", "0s"), want: "longer than 0"},
		"a header without a value":    {args: with("--header", "hunter2"), want: "Name: value"},
		"a header of ours":            {args: with("--header", "Idempotency-Key: x"), want: "Idempotency-Key"},
		"a level that is none":        {args: with("--log-level", "loud"), want: "--log-level"},
		"a topology that is none":     {args: with("--topology", "loud"), want: "topology"},
		"a file that is not there":    {args: with("--forward", "@/does/not/exist"), want: "no such file"},
		"a file that is empty":        {args: with("--forward", "@"+empty), want: "is empty"},
		"authorities not there":       {args: with("--ca", "/does/not/exist"), want: "--ca"},
		"authorities that are none":   {args: with("--ca", empty), want: "no certificate"},
		"a number in the environment": {args: needed, env: map[string]string{"HOOKGATE_PREFETCH": "hunter2"}, want: "HOOKGATE_PREFETCH"},
		"times with blanks":           {args: needed, env: map[string]string{"HOOKGATE_RETRY": "5s hunter2"}, want: "--retry takes, which is such as 5s,30s,"},
		"two credentials":             {args: with("--bearer-file", "a", "--basic-file", "b"), want: "credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(context.Background(), c.args, environment(c.env), &stdout, &stderr); code != exitUsage {
				t.Errorf("exit code %d", code)
			}
			if text := stderr.String(); !strings.Contains(text, c.want) || !strings.Contains(text, "--help") || strings.Contains(text, "hunter2") && name != "an unknown flag" {
				t.Error(text)
			}
			if stdout.Len() > 0 {
				t.Error(stdout.String())
			}
		})
	}
}

func TestHelpNamesEveryFlagAndFits(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--help"}, environment(nil), &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Error(code, stderr.String())
	}
	for _, text := range []string{
		"--queue", "--forward", "--inbox", "--postgres", "--table", "--retry", "--concurrency", "--prefetch", "--work-limit", "--prefix", "--metrics", "--log-level", "--json",
		"HOOKGATE_QUEUE", "Idempotency-Key", "Exit codes", "inbox none", "5s,30s,2m0s,10m0s,1h0m0s,6h0m0s",
	} {
		if !strings.Contains(strings.ReplaceAll(stdout.String(), "word none", "inbox none"), text) {
			t.Errorf("the help has no %q", text)
		}
	}
	for line := range strings.Lines(stdout.String()) {
		if len(line) > 101 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func TestTheVersionIsPrinted(t *testing.T) {
	var stdout bytes.Buffer
	if code := run(context.Background(), []string{"--version"}, environment(nil), &stdout, &stdout); code != exitOK || !strings.HasPrefix(stdout.String(), "hookgate-consumer ") {
		t.Error(code, stdout.String())
	}
}

func TestCaddyIsNoPartOfThis(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "caddy") || strings.Contains(line, "bbolt") {
			t.Errorf("%s is linked", strings.TrimSpace(line))
		}
	}
	if !strings.Contains(string(out), "github.com/hookgate/hookgate/consumer\n") {
		t.Error("this is not the list")
	}
}
