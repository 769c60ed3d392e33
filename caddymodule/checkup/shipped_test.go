package checkup_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/doctor"
)

var (
	secretFile = regexp.MustCompile(`/run/secrets/[a-z_]+`)
	rangesFile = regexp.MustCompile(`\bfile /\S+\.json`)
)

// withFiles gives a Caddyfile the files that it names.
func withFiles(t *testing.T, caddyfile string) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	caddyfile = secretFile.ReplaceAllStringFunc(caddyfile, func(path string) string {
		return put(filepath.Base(path), base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%032s", path)))
	})
	return rangesFile.ReplaceAllLiteralString(caddyfile, "file "+put("ranges.json",
		`{"entities":[{"cidr":"192.0.2.1/32","service":"data-actions"},{"cidr":"192.0.2.2/32","service":"open-messaging"}]}`))
}

func TestWhatIsShippedHasNothingToMend(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://127.0.0.1:6379/0")
	t.Setenv("HOOKGATE_POSTGRES", "postgres://hookgate_edge@db/app")
	t.Setenv("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
	files, err := filepath.Glob("../../deploy/*.Caddyfile")
	if err != nil || len(files) < 3 {
		t.Fatalf("%q %v", files, err)
	}
	for _, file := range append(files, "../../Caddyfile") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range run(t, withFiles(t, string(raw)), offline).Findings {
				if f.Status == doctor.Fail {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// noted finds the IDs of checks in the code.
var noted = regexp.MustCompile(`"((?:config|server|hook|secret|data|store|queue|consumer|redis|rabbitmq|postgres|genesys|spool)\.[a-z_]+)"`)

// documented finds them in the documentation: each has a row.
var documented = regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|")

func TestEachCheckIsDocumented(t *testing.T) {
	want := map[string]bool{"rabbitmq.exchange": true, "rabbitmq.queue": true} // whose IDs are put together
	for _, pattern := range []string{"*.go", "../../doctor/*.go", "../app/examine*.go", "../handlers/examine*.go", "../../plugins/*/examine*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range noted.FindAllStringSubmatch(string(raw), -1) {
				want[m[1]] = true
			}
		}
	}
	raw, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, m := range documented.FindAllStringSubmatch(string(raw), -1) {
		got[m[1]] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("-code +docs:\n%s", diff)
	}
}
