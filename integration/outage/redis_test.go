package outage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/integration/servers"
)

// The user of deploy/redis/users.acl, under which everything is tested.
const (
	redisUser     = "hookgate"
	redisPassword = "correct-horse-battery"
)

// startRedis starts a server with that user, which has its data and its users
// again after a restart.
func startRedis(t *testing.T) *servers.Redis {
	t.Helper()
	return servers.StartRedis(t, "--aclfile", redisUsers(t), "--appendonly", "yes")
}

// redisUsers returns the path of a file with that user, and one for the test.
func redisUsers(t *testing.T) string {
	t.Helper()
	acl := filepath.Join(t.TempDir(), "users.acl")
	lines := "user default on nopass ~* &* +@all\nuser " + strings.Join(redisRules(t), " ") + " >" + redisPassword + "\n"
	if err := os.WriteFile(acl, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return acl
}

// redisRules returns the words of the user, without a password.
func redisRules(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../../deploy/redis/users.acl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if words := strings.Fields(line); len(words) > 1 && words[1] == redisUser {
			return words[1:]
		}
	}
	t.Fatal("no such user in the file")
	return nil
}

// grant gives a server the user anew, with a password.
func grant(t *testing.T, r *servers.Redis, password string) {
	t.Helper()
	args := []any{"acl", "setuser"}
	for _, w := range redisRules(t) {
		args = append(args, w)
	}
	r.Do(append(args, ">"+password)...)
}
