package embedded

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/hookgate/hookgate/hook"
)

// Why the store cannot be used, or cannot take anything new. Methods return
// them wrapped, together with hook.ErrUnavailable where nothing was written.
var (
	// ErrNotStarted means that Start was not called or did not succeed.
	ErrNotStarted = errors.New("embedded store is not started")

	// ErrClosed means that Close was called.
	ErrClosed = errors.New("embedded store is closed")

	// ErrFull means that 90 % of the bound, or the disk, is used up. What
	// settles a claim is still taken, and so are reads.
	ErrFull = errors.New("embedded store is full")

	// ErrBad means that a transaction failed in a way that leaves open what is
	// on disk. It is final until the process is started again.
	ErrBad = errors.New("embedded store is marked bad")

	// ErrSettled means that a delivery was settled before.
	ErrSettled = errors.New("the delivery was settled before")

	// ErrInUse means that another process has the file open.
	ErrInUse = errors.New("is in use by another process: stop that, or give each a data_dir of its own")

	// ErrFormat means that the file is not one that this version can read.
	ErrFormat = errors.New("is not a file that this version can read")
)

// unavailable wraps the reason why nothing was written.
func unavailable(reason error) error {
	return fmt.Errorf("%w: %w", hook.ErrUnavailable, reason)
}

// withoutPath takes the file's path from an error: it goes to /readyz and into
// answers, where paths of this machine are nobody's business.
func withoutPath(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	return err
}
