//go:build !linux

package doctor

import (
	"errors"
	"os"
)

func inspectDisk(string) (disk, error) { return disk{}, errors.ErrUnsupported }

// writable goes by the mode alone.
func writable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().Perm()&0o222 != 0
}
