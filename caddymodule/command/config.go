package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// loadConfig reads a config file as Caddy's own commands do, without their log
// lines, and returns it in JSON. file may be - for in, and empty for the Caddyfile
// of this folder.
func loadConfig(in io.Reader, file, adapter string) ([]byte, error) {
	if file == "" {
		if adapter != "" {
			return nil, errors.New("--adapter needs --config")
		}
		file = "Caddyfile"
		if _, err := os.Stat(file); err != nil {
			return nil, errors.New("there is no Caddyfile in this folder: name one with --config")
		}
	}
	var raw []byte
	var err error
	if file == "-" {
		raw, err = io.ReadAll(in)
	} else {
		raw, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	if adapter == "" {
		adapter = adapterOf(file)
	}
	if adapter == "" {
		return raw, nil
	}
	a := caddyconfig.GetAdapter(adapter)
	if a == nil {
		return nil, fmt.Errorf("this build has no config adapter %q", adapter)
	}
	out, _, err := a.Adapt(raw, map[string]any{"filename": file})
	if err != nil {
		return nil, fmt.Errorf("adapting the config: %w", err)
	}
	return out, nil
}

// adapterOf tells by the name of a file which adapter it needs: none for JSON, and
// that of Caddyfiles for all whose name does not say otherwise.
func adapterOf(file string) string {
	ext := strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), ".")
	switch {
	case ext == "json":
		return ""
	case ext != "" && caddyconfig.GetAdapter(ext) != nil:
		return ext
	}
	return "caddyfile"
}
