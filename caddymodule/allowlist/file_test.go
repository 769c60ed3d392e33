package allowlist

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"
)

// listing is a file with one range for each service.
func listing(rangeOf map[string]string) []byte {
	type entry struct {
		CIDR    string `json:"cidr"`
		Service string `json:"service"`
	}
	var list struct {
		Entities []entry `json:"entities"`
	}
	for service, cidr := range rangeOf {
		list.Entities = append(list.Entities, entry{cidr, service})
	}
	data, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return data
}

// put replaces a file as a deployment does: the reader sees the old or the new.
func put(t *testing.T, path string, data []byte) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func ranges(f *FileSource) []string {
	var s []string
	for _, p := range f.GetIPRanges(nil) {
		s = append(s, p.String())
	}
	return s
}

func TestAFileIsReadWhenTheConfigIsLoaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ranges.json")
	put(t, path, listing(map[string]string{"data-actions": "192.0.2.0/24", "smtp": "198.51.100.0/24"}))
	t.Setenv("HOOKGATE_TEST_RANGES", path)
	for _, tc := range []struct {
		name, path string
		services   []string
		want       []string
	}{
		{"for all services", path, nil, []string{"192.0.2.0/24", "198.51.100.0/24"}},
		{"for one", path, []string{"smtp"}, []string{"198.51.100.0/24"}},
		{"behind a placeholder", "{env.HOOKGATE_TEST_RANGES}", []string{"data-actions"}, []string{"192.0.2.0/24"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := provision(t, &FileSource{Path: tc.path, Services: tc.services})
			if diff := cmp.Diff(tc.want, ranges(f)); diff != "" {
				t.Error(diff)
			}
			first := netip.MustParsePrefix(tc.want[0]).Addr()
			if !f.Contains(first) || f.Contains(first.Prev()) {
				t.Error("Contains says something else")
			}
		})
	}
}

// provision provisions a source for as long as the test runs.
func provision(t *testing.T, f *FileSource) *FileSource {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := f.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFileSourceIsNotProvisioned(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ranges.json")
	big := filepath.Join(dir, "big.json")
	good := listing(map[string]string{"smtp": "192.0.2.0/24"})
	put(t, path, good)
	put(t, big, append(good, []byte(strings.Repeat(" ", maxFileSize))...))
	write := func(name, data string) string {
		p := filepath.Join(dir, name)
		put(t, p, []byte(data))
		return p
	}
	for _, tc := range []struct {
		name   string
		source *FileSource
		want   []string
	}{
		{"without a path", &FileSource{}, []string{"a path is required"}},
		{"with a placeholder that is not set", &FileSource{Path: "{env.HOOKGATE_TEST_UNSET}"}, []string{"path: ", "HOOKGATE_TEST_UNSET"}},
		{"with a placeholder that is not known", &FileSource{Path: "{http.request.host}"}, []string{"path: ", "http.request.host"}},
		{"with an empty service", &FileSource{Path: path, Services: []string{""}}, []string{"a service is empty"}},
		{"with a repeated service", &FileSource{Path: path, Services: []string{"smtp", "smtp"}}, []string{`"smtp" is already specified`}},
		{"with a file that is not there", &FileSource{Path: path + ".not"}, []string{path + ".not", "no such file"}},
		{"with a folder", &FileSource{Path: dir}, []string{dir, "is a directory"}},
		{"with a file that is not JSON", &FileSource{Path: write("bad", "{")}, []string{dir + "/bad", "not a list of IP ranges"}},
		{"with an empty file", &FileSource{Path: write("empty", "")}, []string{dir + "/empty", "not a list of IP ranges"}},
		{"with a bad entry", &FileSource{Path: write("entry", `{"entities":[{"cidr":"10.0.0.1/8"}]}`)}, []string{dir + "/entry", "entry 1: "}},
		{"with no entry for the service", &FileSource{Path: path, Services: []string{"data-actions"}}, []string{path, "no entry"}},
		{"with a file that is too large", &FileSource{Path: big}, []string{big, fmt.Sprintf("larger than %d bytes", maxFileSize)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			err := tc.source.Provision(ctx)
			if err == nil {
				t.Fatal("it was")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
		})
	}
}

func TestAFileOfTheLargestSizeIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ranges.json")
	good := listing(map[string]string{"smtp": "192.0.2.0/24"})
	put(t, path, append(good, []byte(strings.Repeat(" ", maxFileSize-len(good)))...))
	if got := ranges(provision(t, &FileSource{Path: path})); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
