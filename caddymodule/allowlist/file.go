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

	"github.com/hookgate/hookgate/genesys/ipranges"
)

const (
	pollEvery   = 2 * time.Second
	maxFileSize = 8 << 20 // bytes
)

func init() {
	caddy.RegisterModule(new(FileSource))
}

// FileSource is a file with IP ranges, in the form of Genesys Cloud's GET
// /api/v2/ipranges. It is looked at every two seconds, which also sees a file
// that is swapped by a symbolic link, and read again when it has changed. A
// bad or empty list leaves the last good one in place.
type FileSource struct {
	// The file. Required.
	Path string `json:"path"`

	// The services whose addresses count, such as data-actions. Default: all.
	Services []string `json:"services,omitempty"`

	path     string
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
	if f.path, err = caddy.NewReplacer().ReplaceOrErr(f.Path, true, true); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if f.path == "" {
		return errors.New("a path is required")
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

// watch reads the file again when it has changed, until the config is gone.
func (f *FileSource) watch(ctx caddy.Context, seen os.FileInfo) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, err := os.Stat(f.path)
		if err == nil && same(seen, now) || err != nil && seen == nil {
			continue
		}
		if err == nil {
			seen, err = f.read()
		}
		if err != nil {
			seen = now
			f.logger.Warn("the ranges could not be read again: the last good ones stay", zap.String("file", f.path), zap.Error(err))
			continue
		}
		f.logger.Info("the ranges were read again", zap.String("file", f.path), zap.Int("ranges", len(*f.prefixes.Load())))
	}
}

func same(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
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
	if !d.NextArg() {
		return d.ArgErr()
	}
	f.Path, f.Services = d.Val(), d.RemainingArgs()
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner       = (*FileSource)(nil)
	_ caddyhttp.IPRangeSource = (*FileSource)(nil)
	_ caddyfile.Unmarshaler   = (*FileSource)(nil)
)
