package embedded

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// tight reports whether the disk of a file has less space left than a probe
// takes. What cannot be told is not tight.
func tight(path string) bool {
	var st unix.Statfs_t
	if unix.Statfs(filepath.Dir(path), &st) != nil {
		return false
	}
	return st.Bavail*uint64(st.Bsize) < probeSize //nolint:unconvert // 32 bits on some
}
