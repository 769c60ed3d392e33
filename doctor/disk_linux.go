package doctor

import "golang.org/x/sys/unix"

// passing are file systems that do not outlive the machine or the container.
var passing = map[int64]string{
	unix.TMPFS_MAGIC:           "tmpfs, which is memory",
	unix.RAMFS_MAGIC:           "ramfs, which is memory",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay, the writable layer of a container",
}

func inspectDisk(path string) (disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return disk{}, err
	}
	return disk{kind: passing[int64(st.Type)], free: st.Bavail * uint64(st.Bsize)}, nil //nolint:unconvert // 32 bits on some
}

// writable asks without writing.
func writable(path string) bool { return unix.Access(path, unix.W_OK|unix.X_OK) == nil }
