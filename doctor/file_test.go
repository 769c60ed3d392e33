package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileWithASecretIsForItsReaders(t *testing.T) {
	byGroup := Warn
	if os.Getuid() == 0 { // owns what it makes
		byGroup = OK
	}
	for _, tc := range []struct {
		name, path string
		want       Status
	}{
		{"its owner", write(t, 0o600), OK},
		{"its owner, to read", write(t, 0o400), OK},
		{"its group", write(t, 0o640), byGroup},
		{"its group, to write", write(t, 0o660), Warn},
		{"everybody", write(t, 0o644), Warn},
		{"nobody", filepath.Join(t.TempDir(), "none"), Fail},
		{"a folder", t.TempDir(), Fail},
	} {
		all := SecretFile(tc.path)
		if len(all) != 1 || all[0].Status != tc.want || all[0].About != tc.path || strings.Contains(all[0].Seen, "hunter2") {
			t.Errorf("%s: %+v, want %s", tc.name, all, tc.want)
		}
	}
}

func TestAListOfAddressesIsKeptFresh(t *testing.T) {
	path, now := write(t, 0o644), time.Now()
	for name, tc := range map[string]struct {
		path string
		at   time.Time
		want Status
	}{
		"just written": {path, now, OK},
		"six days old": {path, now.Add(6 * 24 * time.Hour), OK},
		"a month old":  {path, now.Add(30 * 24 * time.Hour), Warn},
		"not there":    {path + "x", now, Fail},
	} {
		all := ListFile("crm", tc.path, tc.at)
		if len(all) != 1 || all[0].Status != tc.want || all[0].About != "crm" {
			t.Errorf("%s: %+v, want %s", name, all, tc.want)
		}
	}
}

func TestAFolderForEventsIsLookedAt(t *testing.T) {
	own, shared, file := t.TempDir(), t.TempDir(), write(t, 0o600)
	for dir, mode := range map[string]os.FileMode{own: 0o700, shared: 0o755} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		folder Folder
		want   map[string]Status
	}{
		{"one's own", Folder{Path: own, File: "f", Need: 1}, map[string]Status{"data.folder": OK, "data.rights": OK, "data.space": OK}},
		{"open to others", Folder{Path: shared, File: "f"}, map[string]Status{"data.folder": OK, "data.rights": Warn}},
		{"not there yet", Folder{Path: filepath.Join(shared, "a", "b")}, map[string]Status{"data.folder": OK, "data.rights": ""}},
		{"a file", Folder{Path: file}, map[string]Status{"data.folder": Fail, "data.persistent": ""}},
		{"below a file", Folder{Path: filepath.Join(file, "x")}, map[string]Status{"data.folder": Fail}},
		{"larger than the disk", Folder{Path: own, Need: 1 << 60}, map[string]Status{"data.space": Fail}},
	} {
		got := map[string]Status{}
		for _, f := range tc.folder.Check() {
			got[f.Check] = f.Status
		}
		for check, want := range tc.want {
			if got[check] != want {
				t.Errorf("%s: %s is %q, want %q", tc.name, check, got[check], want)
			}
		}
	}
	if left, _ := os.ReadDir(own); len(left) != 0 {
		t.Errorf("something was made: %v", left)
	}
}

func TestADiskLastsOrNot(t *testing.T) {
	f := Folder{Path: t.TempDir(), File: "f", Need: 1000}
	for _, tc := range []struct {
		name  string
		disk  disk
		check string
		want  Status
	}{
		{"a disk", disk{}, "data.persistent", OK},
		{"memory", disk{kind: "tmpfs, which is memory"}, "data.persistent", Warn},
		{"a container's layer", disk{kind: "overlay, the writable layer of a container"}, "data.persistent", Warn},
		{"room", disk{free: 1000}, "data.space", OK},
		{"some room", disk{free: 999}, "data.space", Warn},
		{"no room", disk{free: 99}, "data.space", Fail},
	} {
		n := &Notes{}
		f.persistent(n, tc.disk)
		f.space(n, tc.disk)
		for _, got := range n.List {
			if got.Check == tc.check && got.Status != tc.want {
				t.Errorf("%s: %+v, want %s", tc.name, got, tc.want)
			}
		}
	}
}
