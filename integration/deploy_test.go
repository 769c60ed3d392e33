package integration

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
	"github.com/hookgate/hookgate/plugins/redis"
)

// makeSecrets runs the script for compose.yaml.
func makeSecrets(t *testing.T, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "bash", "../deploy/secrets.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestTheSecretsOfTheComposeFileOpenRedis(t *testing.T) {
	dir := t.TempDir()
	makeSecrets(t, dir)
	r := servers.StartRedis(t, "--aclfile", filepath.Join(dir, "users.acl"))
	password := readFile(t, filepath.Join(dir, "redis"))
	store, err := redis.New(redis.Options{
		Addrs: []string{r.Addr},
		Credentials: func(context.Context) (redis.Credentials, error) {
			return redis.Credentials{Username: "hookgate", Password: password}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Start(); err != nil {
		t.Fatal(err)
	}
	defer store.Close(context.Background())
	eventually(t, 20*time.Second, "an event is claimed", func() bool {
		state, _, err := store.Claim(t.Context(), hook.Claim{Key: hook.EventKey("h", "evt_1"), Token: hook.NewToken(), Lease: time.Minute})
		return err == nil && state == hook.Ours
	})
}

func TestTheConsumersUserOfTheComposeFileKeepsItsInboxAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	makeSecrets(t, dir)
	r := servers.StartRedis(t, "--aclfile", filepath.Join(dir, "users.acl"))
	u, err := url.Parse(strings.TrimSpace(readFile(t, filepath.Join(dir, "consumer_inbox"))))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if u.User.Username() != "hookgate-consumer" || u.Host != "redis:6379" {
		t.Errorf("the inbox is at %s of %s", u.Host, u.User.Username())
	}
	core, logs := observer.New(zap.WarnLevel)
	store, err := redis.New(redis.Options{
		Addrs: []string{r.Addr}, Logger: zap.New(core),
		Credentials: func(context.Context) (redis.Credentials, error) {
			return redis.Credentials{Username: u.User.Username(), Password: password}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Start(); err != nil {
		t.Fatal(err)
	}
	defer store.Close(context.Background())
	claim := hook.Claim{Key: hook.InboxKey("h", "evt_1", 2), Token: hook.NewToken(), Lease: time.Minute, TTL: time.Hour}
	eventually(t, 20*time.Second, "an event is claimed", func() bool {
		state, _, err := store.Claim(t.Context(), claim)
		return err == nil && state == hook.Ours
	})
	if held, err := store.Renew(t.Context(), claim); err != nil || !held {
		t.Error(held, err)
	}
	if err := store.Commit(t.Context(), claim); err != nil {
		t.Error(err)
	}
	other := hook.Claim{Key: hook.InboxKey("h", "evt_2", 0), Token: hook.NewToken(), Lease: time.Minute, TTL: time.Hour}
	if _, _, err := store.Claim(t.Context(), other); err != nil {
		t.Error(err)
	}
	if err := store.Release(t.Context(), other); err != nil {
		t.Error(err)
	}
	for _, key := range []string{hook.EventKey("h", "evt_1"), "other"} {
		other.Key = key
		if _, _, err := store.Claim(t.Context(), other); err == nil {
			t.Errorf("it may claim %s", key)
		}
	}
	if n := logs.FilterMessageSnippet("lacks rights").Len(); n != 0 {
		t.Error(logs.All())
	}
}

// Which of RabbitMQ's are right is tested where its tests are.
func TestTheSecretsOfTheComposeFileAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	makeSecrets(t, dir)
	before := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		before[file] = readFile(t, file)
	}
	if len(before) != 10 { // six passwords, two URLs, users.acl and definitions.json
		t.Errorf("%d files", len(before))
	}
	var definitions struct{ Users []map[string]any }
	if err := json.Unmarshal([]byte(before[filepath.Join(dir, "definitions.json")]), &definitions); err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{"": true}
	for _, user := range definitions.Users {
		if hash := user["password_hash"]; seen[hash] {
			t.Errorf("the password of %s is empty, or another's", user["name"])
		} else {
			seen[hash] = true
		}
	}
	makeSecrets(t, dir)
	for file, content := range before {
		if readFile(t, file) != content {
			t.Errorf("%s was made anew", file)
		}
	}
}

// Each file that compose.yaml and the Caddyfiles name is made, or is there.
func TestTheComposeFileNamesFilesThatAreThere(t *testing.T) {
	dir := t.TempDir()
	makeSecrets(t, dir)
	for line := range strings.Lines(readFile(t, "../deploy/compose.yaml")) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "file: ./")
		if !ok {
			continue
		}
		path := filepath.Join("../deploy", name)
		if made, ok := strings.CutPrefix(name, "secrets/"); ok {
			path = filepath.Join(dir, made)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
