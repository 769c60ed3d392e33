package contract

import "fmt"

// Source returns the file of a built-in contract as it is, in its latest
// version.
func Source(name string) ([]byte, error) {
	c, err := Builtin(name)
	if err != nil {
		return nil, err
	}
	data, err := schemas.ReadFile(fmt.Sprintf("schemas/%s.v%d.schema.json", c.manifest.Name, c.manifest.Version))
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return data, nil
}

// Title returns the title of the schema, "" for none.
func (c *Contract) Title() string {
	if c.schema == nil {
		return ""
	}
	return c.schema.Title
}
