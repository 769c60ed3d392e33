// Package contract reads webhook bodies: strictly as JSON, for their event ID
// and fingerprint, and against the shape that a hook expects.
//
// A contract is a JSON Schema (draft 2020-12) with a manifest in its top-level
// member x-hookgate, which says where the event ID is, which members change
// between two deliveries of one event, and what may be mended. Schemas are open:
// what they do not name, passes, and is reported as drift.
//
// No error and no violation holds a value or a member name of a body: names in
// them come from the contract or from the configuration.
package contract

import (
	"fmt"
	"os"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Contract is the shape of a hook's bodies. It does not change, and may be used
// by many readers.
type Contract struct {
	manifest manifest
	schema   *jsonschema.Schema // nil: any object
	quick    *quick             // nil: the schema has no quick form
	declared map[string]bool    // member names in the schema, which violations may show
}

// None is the contract of any JSON object. It has no name, and says nothing of
// an event ID.
func None() *Contract { return new(Contract) }

// Load reads a contract from a file: a JSON Schema with a manifest. The error
// names the file and what is wrong with it.
func Load(path string) (*Contract, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a contract. The name is for the error.
func Parse(name string, data []byte) (*Contract, error) {
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("contract %s: %w", name, err)
	}
	c := &Contract{manifest: m, declared: make(map[string]bool)}
	if c.schema, err = compile(data, c.declared); err != nil {
		return nil, fmt.Errorf("contract %s: %w", name, err)
	}
	if err := c.manifest.checkTypes(c.schema); err != nil {
		return nil, fmt.Errorf("contract %s: %w", name, err)
	}
	c.quick = newQuick(c.schema)
	return c, nil
}

// Name returns the contract's name, "" for None.
func (c *Contract) Name() string { return c.manifest.Name }

// ID returns name and version, such as pe-action-map/1, and "" for None.
func (c *Contract) ID() string {
	if c.manifest.Name == "" {
		return ""
	}
	return fmt.Sprintf("%s/%d", c.manifest.Name, c.manifest.Version)
}

// HasTimestamp reports whether the contract says where the time of an event is.
func (c *Contract) HasTimestamp() bool { return len(c.manifest.timestamps) > 0 }
