package contract

import (
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxShape is how many places of a schema are looked at. Schemas that refer to
// themselves have no end.
const maxShape = 10_000

// shape puts into a tree what a schema describes.
type shape struct {
	left   int
	within []*jsonschema.Schema
}

// describe puts the members of a schema at a place. What is described in one
// of several ways has the members of all of them.
func (s *shape) describe(n *node, schema *jsonschema.Schema) {
	if schema == nil {
		return
	}
	if s.left--; s.left < 0 || slices.Contains(s.within, schema) {
		n.open = true // not looked at any further
		return
	}
	s.within = append(s.within, schema)
	defer func() { s.within = s.within[:len(s.within)-1] }()

	for name, p := range schema.Properties {
		n.known = true
		s.describe(n.child(name), p)
	}
	if _, any := schema.AdditionalProperties.(*jsonschema.Schema); any || len(schema.PatternProperties) > 0 {
		n.open = true
	}
	s.elements(n, schema)
	for _, list := range [][]*jsonschema.Schema{
		schema.AllOf, schema.AnyOf, schema.OneOf,
		{schema.Ref, schema.RecursiveRef, schema.If, schema.Then, schema.Else},
	} {
		for _, part := range list {
			s.describe(n, part)
		}
	}
	for _, part := range schema.DependentSchemas {
		s.describe(n, part)
	}
	if schema.DynamicRef != nil {
		s.describe(n, schema.DynamicRef.Ref)
	}
}

// elements describes those of an array, which all have one place.
func (s *shape) elements(n *node, schema *jsonschema.Schema) {
	list := slices.Clone(schema.PrefixItems)
	switch items := schema.Items.(type) {
	case *jsonschema.Schema:
		list = append(list, items)
	case []*jsonschema.Schema:
		list = append(list, items...)
	}
	if schema.Items2020 != nil {
		list = append(list, schema.Items2020)
	}
	for _, items := range list {
		s.describe(n.element(), items)
	}
}

// checkTypes refuses a repair that the schema would not have. Of a place that
// the schema describes in more than one way, nothing is said.
func (m *manifest) checkTypes(schema *jsonschema.Schema) error {
	for _, p := range m.nulls {
		if types := typesAt(schema, p); len(types) > 0 && !slices.Contains(types, "null") {
			return fmt.Errorf("x-hookgate: nulls: the schema does not let %s be null", p)
		}
	}
	for _, p := range m.numbers {
		types := typesAt(schema, p)
		if len(types) > 0 && !slices.Contains(types, "number") && !slices.Contains(types, "integer") {
			return fmt.Errorf("x-hookgate: numbers: the schema does not let %s be a number", p)
		}
	}
	return nil
}

func typesAt(schema *jsonschema.Schema, p pointer) []string {
	for _, name := range p {
		for schema != nil && schema.Ref != nil {
			schema = schema.Ref
		}
		switch {
		case schema == nil:
			return nil
		case name == "*" && schema.Items2020 != nil:
			schema = schema.Items2020
		default:
			schema = schema.Properties[name]
		}
	}
	if schema == nil || schema.Types == nil {
		return nil
	}
	return schema.Types.ToStrings()
}
