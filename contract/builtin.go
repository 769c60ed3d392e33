package contract

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// The built-in contracts, named <name>.v<version>.schema.json.
//
//go:embed schemas/*.schema.json
var schemas embed.FS

// Names returns the names of the built-in contracts, sorted.
func Names() []string {
	var names []string
	for _, file := range builtinFiles() {
		names = append(names, builtinName(file))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Builtin returns the latest version of a built-in contract. The error for an
// unknown one lists those that there are.
func Builtin(name string) (*Contract, error) {
	var latest *Contract
	for _, file := range builtinFiles() {
		if builtinName(file) != name {
			continue
		}
		data, err := schemas.ReadFile("schemas/" + file)
		if err != nil {
			return nil, fmt.Errorf("contract: %w", err)
		}
		c, err := Parse(file, data)
		if err != nil {
			return nil, err
		}
		if latest == nil || c.manifest.Version > latest.manifest.Version {
			latest = c
		}
	}
	if latest == nil {
		return nil, fmt.Errorf("contract: %q is not built in: there are %s", name, strings.Join(Names(), ", "))
	}
	return latest, nil
}

func builtinFiles() []string {
	entries, _ := fs.ReadDir(schemas, "schemas") // it is part of the program
	files := make([]string, len(entries))
	for i, e := range entries {
		files[i] = e.Name()
	}
	return files
}

func builtinName(file string) string {
	name, _, _ := strings.Cut(file, ".v")
	return name
}
