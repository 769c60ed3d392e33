package allowlist

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/genesys/ipranges"
)

// maxFileSize is the largest file that is read, in bytes.
const maxFileSize = 8 << 20

func init() {
	caddy.RegisterModule(new(FileSource))
}

// FileSource is a file with IP ranges, in the form of Genesys Cloud's GET
// /api/v2/ipranges, of at most 8 MiB. Entries for traffic towards Genesys are
// left out. Syntax:
//
//	genesys_file <path> [<service>...]
//
// A config with a file that is missing, bad or without a range for the services
// does not load. Later the file is read again when it has changed: Caddy does
// not watch files, so its time, size and identity are looked at every two
// seconds, which also sees the symbolic links that Kubernetes swaps. A file that
// has become bad or empty leaves the last good list in place, and is reported
// once.
type FileSource struct {
	// The file. Placeholders are resolved when the config is loaded. Required.
	Path string `json:"path"`

	// The services whose addresses count, such as data-actions. Default: all.
	Services []string `json:"services,omitempty"`

	path     string
	poll     time.Duration // 0: pollEvery
	logger   *zap.Logger
	prefixes atomic.Pointer[[]netip.Prefix]
}

// CaddyModule returns the Caddy module information.
func (*FileSource) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.ip_sources.genesys_file",
		New: func() caddy.Module { return new(FileSource) },
	}
}

// Provision implements caddy.Provisioner. It reads the file: without a list
// there is nothing to serve with.
func (f *FileSource) Provision(ctx caddy.Context) (err error) {
	f.logger = ctx.Logger()
	if f.path, err = placeholder.Resolve(f.Path); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if f.path == "" {
		return errors.New("a path is required")
	}
	if err := checkServices(f.Services); err != nil {
		return err
	}
	seen, err := f.read()
	if err != nil {
		return err
	}
	go f.watch(ctx, seen)
	return nil
}

// GetIPRanges implements caddyhttp.IPRangeSource.
func (f *FileSource) GetIPRanges(*http.Request) []netip.Prefix { return *f.prefixes.Load() }

// Contains reports whether an unmapped address without a zone is in the list.
func (f *FileSource) Contains(addr netip.Addr) bool {
	return ipranges.Contains(*f.prefixes.Load(), addr)
}

// read takes over what is in the file, and returns which file that was.
func (f *FileSource) read() (os.FileInfo, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("IP ranges: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("IP ranges: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		err = fmt.Errorf("larger than %d bytes", maxFileSize)
	}
	var prefixes []netip.Prefix
	if err == nil {
		prefixes, err = ipranges.Parse(data, f.Services)
	}
	if err != nil {
		return nil, fmt.Errorf("IP ranges in %s: %w", f.path, err)
	}
	f.prefixes.Store(&prefixes)
	return info, nil
}

// UnmarshalCaddyfile sets up the source. Syntax:
//
//	genesys_file <path> [<service>...]
func (f *FileSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the source's name
	if err := f.parse(d, d.Val()); err != nil {
		return err
	}
	if nesting := d.Nesting(); d.NextBlock(nesting) {
		return d.Err("genesys_file takes no block")
	}
	return nil
}

// parse reads path and services from what is left of the line.
func (f *FileSource) parse(d *caddyfile.Dispenser, option string) error {
	args := d.RemainingArgs()
	if len(args) == 0 || args[0] == "" {
		return d.Errf("%s: the path is missing", option)
	}
	f.Path, f.Services = args[0], args[1:]
	if err := checkServices(f.Services); err != nil {
		return d.Errf("%s: %v", option, err)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner       = (*FileSource)(nil)
	_ caddyhttp.IPRangeSource = (*FileSource)(nil)
	_ caddyfile.Unmarshaler   = (*FileSource)(nil)
)
