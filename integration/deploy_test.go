package integration

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// Which of RabbitMQ's are right is tested where its tests are.
func TestTheSecretsOfTheComposeFileAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	makeSecrets(t, dir)
	before := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		before[file] = readFile(t, file)
	}
	if len(before) != 7 { // five passwords, users.acl and definitions.json
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
