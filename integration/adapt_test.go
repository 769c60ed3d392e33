package integration

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/google/go-cmp/cmp"

	_ "github.com/hookgate/hookgate"
)

var update = flag.Bool("update", false, "write the golden files anew")

const divider = "----------\n"

// Each file in adapt/ is a Caddyfile, a line of ten hyphens, and what becomes
// of it: JSON, or "error: " and what the error must say.
func TestCaddyfilesAdapt(t *testing.T) {
	files, err := filepath.Glob("adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, found := strings.Cut(string(raw), divider)
			if !found {
				t.Fatal("no line of hyphens")
			}
			got := adapt([]byte(input))
			if *update {
				if err := os.WriteFile(file, []byte(input+divider+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// adapt returns the config in JSON, or the error, and the warnings.
func adapt(caddyfile []byte) string {
	out, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile, map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, out, "", "\t"); err != nil {
		return "error: " + err.Error() + "\n"
	}
	for _, w := range warnings {
		pretty.WriteString("\nwarning: " + w.String())
	}
	return pretty.String() + "\n"
}
