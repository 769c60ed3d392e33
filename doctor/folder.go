package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/dustin/go-humanize"
)

// Folder is where events are kept on this machine.
type Folder struct {
	Path string
	File string // in it, which the events are in
	Need int64  // how large that may grow, in bytes
}

// Check looks at the folder, or at the one that it will be made in.
func (f Folder) Check() []Finding {
	n := &Notes{About: f.Path}
	base, err := f.nearest()
	if err != nil {
		n.Fail("data.folder", err.Error(), "set data_dir to a folder that the service can make or write to")
		return n.List
	}
	f.there(n, base)
	f.rights(n, base)
	disk, err := inspectDisk(base)
	if err != nil {
		n.Excuse("data.persistent", "this system does not say what kind of disk it is on")
		n.Excuse("data.space", "this system does not say how much is free")
		return n.List
	}
	f.persistent(n, disk)
	f.space(n, disk)
	return n.List
}

// nearest returns the folder, or the one above it that is there.
func (f Folder) nearest() (string, error) {
	for dir := f.Path; ; dir = filepath.Dir(dir) {
		fi, err := os.Stat(dir)
		switch {
		case err == nil && fi.IsDir():
			return dir, nil
		case err == nil:
			return "", fmt.Errorf("%s is no folder", dir)
		case !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir):
			return "", fmt.Errorf("%s: %s", dir, reason(err))
		}
	}
}

// there notes whether the folder can be used by the user that runs this.
func (f Folder) there(n *Notes, base string) {
	if !writable(base) {
		n.Fail("data.folder", base+" cannot be written to by this user",
			"give it to the user that runs the service, or run this as that user")
		return
	}
	if base != f.Path {
		n.OK("data.folder", "it is not there yet, and is made at the start; data_dir, or XDG_DATA_HOME in the environment, names another")
		return
	}
	n.OK("data.folder", "it can be written to")
}

// rights notes who else may read the events.
func (f Folder) rights(n *Notes, base string) {
	if runtime.GOOS == "windows" || base != f.Path { // has other rights; is made with the right ones
		return
	}
	for _, path := range []string{f.Path, filepath.Join(f.Path, f.File)} {
		fi, err := os.Stat(path)
		if err == nil && fi.Mode().Perm()&0o077 != 0 {
			n.Warn("data.rights", fmt.Sprintf("the mode of %s is %#o", path, fi.Mode().Perm()),
				"other users may get at the events, which hold personal data: chmod go-rwx")
			return
		}
	}
	n.OK("data.rights", "for its owner alone")
}

// disk is what a folder is on.
type disk struct {
	kind string // its name, where it does not last; else empty
	free uint64 // bytes for a user who is not root
}

func (f Folder) persistent(n *Notes, d disk) {
	if d.kind == "" {
		n.OK("data.persistent", "it is on a disk")
		return
	}
	n.Warn("data.persistent", "it is on "+d.kind,
		"put it on a disk or a volume: what is in it is gone with the "+map[bool]string{true: "container", false: "power"}[strings.HasPrefix(d.kind, "overlay")])
}

// space notes whether the file has room to grow to its bound.
func (f Folder) space(n *Notes, d disk) {
	if f.Need == 0 {
		return
	}
	need := uint64(f.Need)
	if fi, err := os.Stat(filepath.Join(f.Path, f.File)); err == nil {
		need -= min(need, uint64(fi.Size()))
	}
	status := OK
	switch {
	case d.free < need/10:
		status = Fail
	case d.free < need:
		status = Warn
	}
	n.Grade("data.space", status, fmt.Sprintf("%s are free, and the file may grow by %s", humanize.IBytes(d.free), humanize.IBytes(need)),
		"make room, or lower max_size of the queue: a full disk answers 503")
}
