package checkup_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/doctor"
)

// Each Caddyfile in testdata/ has the table and the JSON of its report beside it;
// those of the repository's own are repository.txt and repository.json.
func TestReportsAreAsTheyWere(t *testing.T) {
	// What is found in folders and files differs from machine to machine.
	t.Setenv("XDG_DATA_HOME", "/nonexistent")
	t.Setenv("CHECKUP_TOKEN", "correct-horse-battery")
	files, err := filepath.Glob("testdata/*.Caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("no Caddyfiles: %v", err)
	}
	for _, file := range append(files, "../../Caddyfile") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, string(raw), offline)
			var all []doctor.Finding
			for _, f := range r.Findings {
				if !strings.HasPrefix(f.Check, "data.") && f.Check != "genesys.kept" {
					all = append(all, f)
				}
			}
			r = doctor.NewReport(all)
			for ext, write := range map[string]func(*bytes.Buffer) error{
				".txt":  func(b *bytes.Buffer) error { return r.WriteTable(b) },
				".json": func(b *bytes.Buffer) error { return r.WriteJSON(b) },
			} {
				var got bytes.Buffer
				if err := write(&got); err != nil {
					t.Fatal(err)
				}
				golden := strings.TrimSuffix(file, ".Caddyfile") + ext
				if file == "../../Caddyfile" {
					golden = "testdata/repository" + ext
				}
				if *update {
					if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got.String()); diff != "" {
					t.Errorf("%s: -want +got:\n%s", golden, diff)
				}
			}
		})
	}
}

// The Caddyfile that runs anywhere has nothing that has to be mended.
func TestTheCaddyfileOfTheRepositoryIsWell(t *testing.T) {
	raw, err := os.ReadFile("../../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range run(t, string(raw), offline).Findings {
		if f.Status == doctor.Fail || f.Status == doctor.Warn && f.Check != "consumer.handler" && !strings.HasPrefix(f.Check, "data.") {
			t.Errorf("%+v", f)
		}
	}
}
