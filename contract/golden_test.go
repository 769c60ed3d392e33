package contract

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A folder of testdata has the payloads for one contract: the built-in one of
// its name, or that of its contract.schema.json. Beside each payload is what is
// read of it.
func TestEachPayloadIsReadAsItsGoldenFileSays(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		dir, name := filepath.Split(file)
		if name == "contract.schema.json" {
			continue
		}
		t.Run(filepath.Base(dir)+"/"+strings.TrimSuffix(name, ".json"), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := newReader(t, Options{Contract: contractOf(t, dir)})
			doc, readErr := r.Read(body)
			got := describe(doc, readErr)
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
			checkRepaired(t, r, doc, body)
			checkName(t, name, doc, readErr)
		})
	}
}

func contractOf(t *testing.T, dir string) *Contract {
	t.Helper()
	c, err := Load(filepath.Join(dir, "contract.schema.json"))
	if errors.Is(err, os.ErrNotExist) {
		c, err = Builtin(filepath.Base(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func describe(doc Document, err error) string {
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "id: %s\nfingerprint: %s\n", doc.ID, doc.Fingerprint)
	if doc.HasTimestamp {
		fmt.Fprintf(&b, "timestamp: %s\n", doc.Timestamp.Format(time.RFC3339Nano))
	}
	for _, d := range doc.Drift {
		fmt.Fprintf(&b, "drift: %s %s\n", d.Kind, d.Pointer)
	}
	for _, v := range doc.Violations {
		fmt.Fprintf(&b, "violation: %s %s\n", v.Code, v.Pointer)
	}
	if doc.Repaired != nil {
		fmt.Fprintf(&b, "repaired:\n%s\n", doc.Repaired)
	}
	return b.String()
}

// checkRepaired reads a repaired body again: it has the same ID, and nothing is
// left to mend.
func checkRepaired(t *testing.T, r *Reader, doc Document, body []byte) {
	t.Helper()
	if doc.Repaired == nil {
		return
	}
	if bytes.Equal(doc.Repaired, body) {
		t.Error("what was repaired is what it was")
	}
	again, err := r.Read(doc.Repaired)
	if err != nil || again.ID != doc.ID || !again.Timestamp.Equal(doc.Timestamp) || again.Repaired != nil || len(again.Violations) > 0 {
		t.Errorf("the repaired body is read as %+v, %v", again, err)
	}
}

// checkName holds the result against what the file says of itself.
func checkName(t *testing.T, name string, doc Document, err error) {
	t.Helper()
	kind, _, _ := strings.Cut(name, "-")
	switch kind {
	case "drift":
		if len(doc.Drift) == 0 || len(doc.Violations) > 0 {
			t.Errorf("drift %v, violations %v", doc.Drift, doc.Violations)
		}
	case "violation":
		if len(doc.Violations) == 0 {
			t.Error("there is no violation")
		}
	case "error":
		if hook.CodeOf(err) != hook.CodeMissingEventID {
			t.Errorf("got %v", err)
		}
	default:
		if len(doc.Violations) > 0 {
			t.Errorf("violations %v", doc.Violations)
		}
	}
}
