package checkup_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/checkup"
	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

func TestGenesysCloudIsAskedFromWhereItSends(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.SetRanges(genesystest.Outbound("data-actions", "192.0.2.0/24")...)
	online := checkup.Options{Examination: app.Examination{Timeout: 10 * time.Second}}
	config := func(service, root string) string {
		return "{\n\tstorage file_system " + root + "\n\thookgate {\n\t\tgenesys {\n\t\t\tapi_url " + s.APIURL() + "\n\t\t\tlogin_url " + s.LoginURL() +
			"\n\t\t\tclient_id " + genesystest.Roleless.ID + "\n\t\t\tclient_secret {env.CHECKUP_SECRET}\n\t\t}\n\t}\n}\n" +
			":8080 {\n\tgenesys_webhook {\n\t\tallow genesys " + service + "\n\t}\n\trespond 404\n}\n"
	}
	for _, tc := range []struct {
		name, secret, service string
		age                   time.Duration // of the list that was kept; 0 for none
		misbehave             bool
		want                  map[string]doctor.Status
	}{
		{"all well", genesystest.Roleless.Secret, "data-actions", time.Hour, false, map[string]doctor.Status{
			"genesys.reach": doctor.OK, "genesys.services": doctor.OK, "genesys.kept": doctor.OK, "genesys.clock": doctor.OK,
		}},
		{"nothing kept yet", genesystest.Roleless.Secret, "data-actions", 0, false, map[string]doctor.Status{"genesys.kept": doctor.OK}},
		{"an old list", genesystest.Roleless.Secret, "data-actions", 8 * 24 * time.Hour, false, map[string]doctor.Status{"genesys.kept": doctor.Warn}},
		{"a wrong secret", "hunter2", "data-actions", 0, false, map[string]doctor.Status{"genesys.reach": doctor.Fail, "genesys.services": ""}},
		{"a service that there is not", genesystest.Roleless.Secret, "data-action", 0, false, map[string]doctor.Status{"genesys.services": doctor.Fail}},
		{"an outage", genesystest.Roleless.Secret, "data-actions", 0, true, map[string]doctor.Status{"genesys.reach": doctor.Fail}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("CHECKUP_SECRET", tc.secret)
			root := t.TempDir()
			if tc.age > 0 {
				keep(t, root, s.APIURL(), tc.age)
			}
			if tc.misbehave {
				s.Misbehave(http.MethodGet, "/api/v2/ipranges", 1, genesystest.Failing(503))
			}
			before := len(files(t, root))
			r := run(t, config(tc.service, root), online)
			for check, want := range tc.want {
				if got, seen := worst(r, check); got != want {
					t.Errorf("%s is %q, want %q: %s", check, got, want, seen)
				}
			}
			for _, f := range r.Findings {
				if strings.Contains(f.Seen+f.Advice, tc.secret) {
					t.Errorf("the secret is shown: %+v", f)
				}
			}
			if after := files(t, root); len(after) != before {
				t.Errorf("files were made: %q", after)
			}
		})
	}
}

// keep puts a list where a service keeps it.
func keep(t *testing.T, root, api string, age time.Duration) {
	t.Helper()
	at := time.Now().Add(-age)
	raw, err := json.Marshal(map[string]any{
		"version": 1, "asked": at, "confirmed": at, "digest": "d",
		"entities": []any{map[string]string{"cidr": "192.0.2.0/24", "service": "data-actions"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	host := strings.NewReplacer("https://", "", "http://", "", ":", "-").Replace(api)
	path := filepath.Join(root, "hookgate", "genesys", fmt.Sprintf("ranges-%s.json", host))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, root string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
