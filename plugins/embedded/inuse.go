//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package embedded

import (
	"os"
	"syscall"
	"time"
)

// InUse reports whether another DB has the file open, in this process or in
// another one. It changes nothing, and waits as long as Start does for the file
// to be given up. Where it cannot be told it is false; Start has the last word.
func InUse(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(lockTimeout / 10) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if err == nil {
			_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		}
		if err != syscall.EWOULDBLOCK {
			return false
		}
		if time.Now().After(deadline) {
			return true
		}
	}
}
