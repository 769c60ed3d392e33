package contract

import (
	"maps"
	"slices"
)

// Member is a member at the top of the objects that a contract describes.
type Member struct {
	Name     string
	Types    []string // those of JSON Schema; empty where the contract does not say
	Format   string   // date-time and the like; "" for none
	Required bool
	EventID  bool // it is the event ID, or a part of it
}

// Members returns the members that the schema names: those that are required
// in its order, and then the others by name.
func (c *Contract) Members() []Member {
	if c.schema == nil {
		return nil
	}
	var members []Member
	add := func(name string, required bool) {
		m := Member{Name: name, Required: required}
		p := c.schema.Properties[name]
		for p != nil && p.Ref != nil {
			p = p.Ref
		}
		if p != nil && p.Types != nil {
			m.Types = p.Types.ToStrings()
		}
		if p != nil && p.Format != nil {
			m.Format = p.Format.Name
		}
		m.EventID = slices.ContainsFunc(c.manifest.ids, func(a alternative) bool {
			return slices.ContainsFunc(a.parts, func(p pointer) bool { return len(p) == 1 && p[0] == name })
		})
		members = append(members, m)
	}
	for _, name := range c.schema.Required {
		add(name, true)
	}
	for _, name := range slices.Sorted(maps.Keys(c.schema.Properties)) {
		if !slices.Contains(c.schema.Required, name) {
			add(name, false)
		}
	}
	return members
}
