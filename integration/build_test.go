package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/integration/edge"
)

// ours are the modules that a build has beside Caddy's.
var ours = []string{
	"admin.api.hookgate",
	"hookgate",
	"hookgate.handlers.forward",
	"hookgate.handlers.log",
	"hookgate.handlers.postgres",
	"hookgate.queues.embedded",
	"hookgate.queues.rabbitmq",
	"hookgate.stores.embedded",
	"hookgate.stores.postgres",
	"hookgate.stores.redis",
	"http.handlers.fail_fast",
	"http.handlers.hookgate_health",
	"http.handlers.webhook_allow",
	"http.handlers.webhook_auth",
	"http.handlers.webhook_dedup",
	"http.handlers.webhook_problem",
	"http.handlers.webhook_publish",
	"http.handlers.webhook_validate",
	"http.ip_sources.genesys",
	"http.ip_sources.genesys_file",
	"http.matchers.client_ip_source",
}

// xcaddyMain is the program that xcaddy generates, for one plugin.
const xcaddyMain = `package main

import (
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "PLUGIN"
)

func main() {
	caddycmd.Main()
}
`

func TestEveryWayOfBuildingHasTheSameModules(t *testing.T) {
	checkBuild(t, program, "queue", "simulate")
	for _, plugin := range []string{"github.com/hookgate/hookgate", "github.com/hookgate/hookgate/caddymodule"} {
		t.Run(plugin, func(t *testing.T) {
			checkBuild(t, buildElsewhere(t, plugin), "hookgate queue", "hookgate simulate")
		})
	}
}

// buildElsewhere builds what xcaddy builds: a module of its own that imports a
// plugin, replaced by this checkout.
func buildElsewhere(t *testing.T, plugin string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	// The versions that this checkout pins, as "go get" would find them.
	mod = bytes.Replace(mod, []byte("module github.com/hookgate/hookgate"), []byte("module caddy"), 1)
	mod = append(mod, "\nrequire github.com/hookgate/hookgate v0.0.0\n\nreplace github.com/hookgate/hookgate => "+root+"\n"...)
	for name, content := range map[string][]byte{
		"go.mod":  mod,
		"go.sum":  sum,
		"main.go": []byte(strings.Replace(xcaddyMain, "PLUGIN", plugin, 1)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(dir, "caddy")
	// With the race detector, like the rest of these tests: its objects are
	// in the build cache.
	cmd := exec.Command("go", "build", "-race", "-mod=mod", "-tags", edge.Tags, "-o", binary, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

func checkBuild(t *testing.T, binary string, commands ...string) {
	t.Helper()
	out, err := exec.Command(binary, "list-modules", "--skip-standard").Output()
	if err != nil {
		t.Fatalf("list-modules: %v", err)
	}
	var modules []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.Contains(line, ":") {
			modules = append(modules, line)
		}
	}
	slices.Sort(modules)
	if !slices.Equal(modules, ours) {
		t.Errorf("list-modules shows %q, want %q", modules, ours)
	}
	for _, c := range commands {
		out, err := exec.Command(binary, append(strings.Fields(c), "--help")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Usage:") {
			t.Errorf("%s --help: %v\n%s", c, err, out)
		}
	}
}
