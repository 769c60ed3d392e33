package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/integration/servers"
)

// rewritten returns a file, as @FILE, and what changes it.
func rewritten(t *testing.T, text string) (at string, write func(string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	write = func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	return "@" + path, write
}

func TestAPasswordIsChangedWithoutARestart(t *testing.T) {
	broker, redis, d := rabbit(t), servers.StartRedis(t), newDownstream()
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	broker.Ctl(t, "add_user", "rotated", "one")
	t.Cleanup(func() { broker.Ctl(t, "delete_user", "rotated") })
	broker.Ctl(t, "set_permissions", "rotated", "^rotated", "^rotated", "^rotated")
	redis.Do("acl", "setuser", "rotated", "on", ">one", "~shop:inbox:*", "+@all")

	queueURL := func(password string) string { return "amqp://rotated:" + password + "@" + broker.Addr }
	inboxURL := func(password string) string { return "redis://rotated:" + password + "@" + redis.Addr }
	queue, writeQueue := rewritten(t, queueURL("one"))
	inbox, writeInbox := rewritten(t, inboxURL("one"))
	q := publisher(t, broker, "rotated")
	out, end := begin(t, nil, "--queue", queue, "--forward", down.URL, "--inbox", inbox, "--inbox-prefix", "shop:", "--retry", "1s", "--prefix", "rotated")
	publish(t, q, "before")
	eventually(t, "an event is sent", func() bool { return d.times("before") == 1 && out.results("processed") == 1 })

	writeQueue(queueURL("two"))
	writeInbox(inboxURL("two"))
	broker.Ctl(t, "change_password", "rotated", "two")
	redis.Do("acl", "setuser", "rotated", "resetpass", ">two")
	broker.Ctl(t, "close_all_user_connections", "rotated", "its password has changed")
	redis.Do("client", "kill", "user", "rotated")
	publish(t, q, "before") // a copy
	publish(t, q, "after")
	eventually(t, "the next event is sent", func() bool { return d.times("after") == 1 })
	eventually(t, "the queue is empty", func() bool { n, err := q.Counts(t.Context()); return err == nil && n.Ready == 0 })
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if n := d.times("before"); n != 1 {
		t.Errorf("the first event was sent %d times", n)
	}
	if text := out.String(); strings.Contains(text, "rotated:") {
		t.Error("the log has a URL")
	}
}

func TestAnInboxBehindSentinels(t *testing.T) {
	broker, redis, d := rabbit(t), servers.StartRedis(t), newDownstream()
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	sentinel := servers.StartSentinel(t, redis)
	sentinel.Do("acl", "setuser", "default", "resetpass", ">two")

	login, write := rewritten(t, ":hunter2")
	q := publisher(t, broker, "sentinel")
	out, end := begin(t, nil, "--queue", broker.URL(), "--forward", down.URL, "--retry", "1s", "--prefix", "sentinel",
		"--inbox", "redis://"+sentinel.Addr, "--inbox-sentinel", servers.SentinelMaster, "--inbox-sentinel-file", strings.TrimPrefix(login, "@"))
	eventually(t, "it says why the inbox is not there", func() bool { return strings.Contains(out.String(), "WRONGPASS") })
	write(":two")
	publish(t, q, "event")
	eventually(t, "an event is sent", func() bool { return d.times("event") == 1 })
	eventually(t, "the inbox has it", func() bool { return redis.Do("dbsize") == int64(1) })
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error("the log has a password")
	}
}
