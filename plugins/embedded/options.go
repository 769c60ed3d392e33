package embedded

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// DefaultMaxSize is the bound of a file that was given none: 4 GiB.
const DefaultMaxSize int64 = 4 << 30

// Options are the settings of a DB.
type Options struct {
	// Path is the file. Its folder is made when it is not there, for the owner
	// only (0700); so is the file (0600). Required.
	Path string

	// MaxSize is how large the data may grow, in bytes. At 90 % of it new
	// events and claims are refused. Default: 4 GiB.
	MaxSize int64

	// Logger gets the changes of state: full, has room again, marked bad.
	// Default: none.
	Logger *zap.Logger

	// Now is the clock that leases and expiry go by, called from many
	// goroutines. Default: time.Now.
	Now func() time.Time
}

// withDefaults checks the options and fills in what was left out.
func (o Options) withDefaults() (Options, error) {
	if o.Path == "" {
		return o, errors.New("embedded: no path")
	}
	if o.MaxSize < 0 {
		return o, fmt.Errorf("embedded: the size %d is negative", o.MaxSize)
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return o, fmt.Errorf("embedded: path %s: %w", o.Path, err)
	}
	o.Path = path
	if o.MaxSize == 0 {
		o.MaxSize = DefaultMaxSize
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}
