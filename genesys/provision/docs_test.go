package provision

import (
	"os"
	"strings"
	"testing"
)

func TestTheDocumentationHasThePermissionsOfEachJob(t *testing.T) {
	raw, err := os.ReadFile("../../docs/genesys.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range []Job{JobCheck, JobRanges, JobDataAction, JobOpenMessaging, JobList, JobRemove} {
		needs := "none"
		if all := Permissions(j); len(all) > 0 {
			needs = "`" + strings.Join(all, "`, `") + "`"
		}
		if row := "| `genesys " + string(j) + "` | " + needs + " |\n"; !strings.Contains(string(raw), row) {
			t.Errorf("docs/genesys.md has no row\n%s", row)
		}
	}
}
