package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"go.uber.org/zap"
)

// makeFolder makes the folder and those above it, and has them on disk: a file
// is not durable while the folder it is in may be lost.
func makeFolder(dir string) error {
	if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return errors.Join(err, errors.New("it is not a folder"))
	}
	return syncFolder(filepath.Dir(dir))
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // has no such thing
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) { // nor have some file systems
		err = nil
	}
	return errors.Join(err, f.Close())
}

// warnOfRights says that others may read what is kept: a folder and a file that
// were there before keep the rights that they had.
func (d *DB) warnOfRights() {
	if runtime.GOOS == "windows" { // has other rights
		return
	}
	for _, path := range []string{filepath.Dir(d.path), d.path} {
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm()&0o077 == 0 {
			continue
		}
		d.log.Warn("other users may get at the events, which hold personal data: take their rights with chmod go-rwx",
			zap.String("path", path), zap.Stringer("mode", fi.Mode().Perm()))
		return // once
	}
}
