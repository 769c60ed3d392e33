// Package contract reads webhook bodies: strictly as JSON, for their event ID
// and fingerprint, and against the shape that a hook expects.
//
// A contract is a JSON Schema (draft 2020-12) with a manifest in its top-level
// member x-hookgate, which says where the event ID is and which fields change
// between two deliveries of one event. Schemas are open: what they do not name,
// passes.
package contract

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed schemas/*.schema.json
var schemas embed.FS

// Contract is the shape of a hook's bodies.
type Contract struct {
	name     string
	version  int
	schema   *jsonschema.Schema // nil: any object
	declared map[string]bool    // member names in the schema, which violations may show
	manifest manifest
}

// manifest is the member x-hookgate of a schema.
type manifest struct {
	Name      string   `json:"name"`
	Version   int      `json:"version"`
	EventID   []string `json:"event_id"`
	Volatile  []string `json:"volatile,omitempty"`
	Timestamp string   `json:"timestamp,omitempty"`
}

// Name returns the contract's name, "" for none.
func (c *Contract) Name() string { return c.name }

// ID returns name and version, such as pe-action-map/1, and "" for none.
func (c *Contract) ID() string {
	if c.name == "" {
		return ""
	}
	return fmt.Sprintf("%s/%d", c.name, c.version)
}

// None is the contract of any JSON object.
func None() *Contract { return new(Contract) }

// Names returns the names of the built-in contracts.
func Names() []string {
	var names []string
	for _, file := range builtinFiles() {
		name, _, _ := strings.Cut(file, ".")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func builtinFiles() []string {
	entries, _ := fs.ReadDir(schemas, "schemas") // it is in the binary
	files := make([]string, len(entries))
	for i, e := range entries {
		files[i] = e.Name()
	}
	slices.Sort(files)
	return files
}

// Builtin returns the latest version of a built-in contract.
func Builtin(name string) (*Contract, error) {
	var latest *Contract
	for _, file := range builtinFiles() {
		if base, _, _ := strings.Cut(file, "."); base != name {
			continue
		}
		data, err := schemas.ReadFile("schemas/" + file)
		if err != nil {
			return nil, err
		}
		c, err := Parse(file, data)
		if err != nil {
			return nil, err
		}
		if latest == nil || c.version > latest.version {
			latest = c
		}
	}
	if latest == nil {
		return nil, fmt.Errorf("no built-in contract %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return latest, nil
}

// Load reads a contract from a file.
func Load(path string) (*Contract, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a contract. The name is for errors.
func Parse(name string, data []byte) (*Contract, error) {
	c, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("contract %s: %w", name, err)
	}
	return c, nil
}

func parse(data []byte) (*Contract, error) {
	if err := checkSyntax(data); err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	c := new(Contract)
	if err := c.readManifest(data); err != nil {
		return nil, err
	}
	const url = "contract.json"
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(url, doc); err != nil {
		return nil, err
	}
	if c.schema, err = compiler.Compile(url); err != nil {
		return nil, err
	}
	c.declared = make(map[string]bool)
	declare(doc, c.declared)
	return c, nil
}

// noLoader keeps a schema from fetching another one.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a reference to %s: a contract is one file", url)
}

func (c *Contract) readManifest(data []byte) error {
	var file struct {
		Manifest json.RawMessage `json:"x-hookgate"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	if file.Manifest == nil {
		return errors.New("the member x-hookgate is missing, which has name, version and event_id")
	}
	dec := json.NewDecoder(bytes.NewReader(file.Manifest))
	dec.DisallowUnknownFields()
	m := &c.manifest
	if err := dec.Decode(m); err != nil {
		return fmt.Errorf("x-hookgate: %w", err)
	}
	if m.Name == "" || m.Version < 1 || len(m.EventID) == 0 {
		return errors.New("x-hookgate: name, version (from 1) and event_id are required")
	}
	pointers := append(slices.Clone(m.EventID), m.Volatile...)
	if m.Timestamp != "" {
		pointers = append(pointers, m.Timestamp)
	}
	for _, p := range pointers {
		if _, err := parsePointer(p); err != nil {
			return fmt.Errorf("x-hookgate: %w", err)
		}
	}
	c.name, c.version = m.Name, m.Version
	return nil
}

// declare collects the names of members that a schema speaks of.
func declare(schema any, into map[string]bool) {
	switch s := schema.(type) {
	case map[string]any:
		for keyword, value := range s {
			if members, ok := value.(map[string]any); ok && keyword == "properties" {
				for name := range members {
					into[name] = true
				}
			}
			if names, ok := value.([]any); ok && keyword == "required" {
				for _, name := range names {
					if name, ok := name.(string); ok {
						into[name] = true
					}
				}
			}
			declare(value, into)
		}
	case []any:
		for _, value := range s {
			declare(value, into)
		}
	}
}
