package embedded

import (
	"fmt"
	"runtime/debug"
)

// guard runs fn and turns a panic of bbolt on damaged pages, and a fault on
// memory mapped to a disk that cannot be read, into an error.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is damaged or cannot be read: %v", r)
		}
	}()
	return fn()
}
