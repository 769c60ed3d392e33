package contract

import (
	"encoding/json"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// quick is a schema of the plain kind that most contracts are: an object whose
// members have types, and little else. A walk holds the members against it as it
// comes by. It finds out at little cost that a body meets the
// schema, which is what nearly all do; of any other it says nothing, and the
// library has the word. Reading a body takes half of the time that it takes with
// the library alone (bench/README.md).
type quick struct {
	required []string
	members  map[string]*quickValue
}

// quickValue is what a member may be.
type quickValue struct {
	text, null, boolean, number, integer bool
	object                               *quick
	array                                bool
	elements                             *quickValue // of an array; nil: anything

	dateTime bool // of a text
	minimum  int  // characters of a text
	maximum  int
	positive bool // a number: 0 or more
}

// unlimited is the maximum of a text without one.
const unlimited = int(^uint(0) >> 1)

// newQuick returns the quick form of a schema, or nil where it has none.
func newQuick(s *jsonschema.Schema) *quick {
	if !onlyHas(s, "Types", "Required", "Properties") || s.Types == nil || !slices.Equal(s.Types.ToStrings(), []string{"object"}) {
		return nil
	}
	return newQuickObject(s)
}

// newQuickObject returns what is said of the members of an object, or nil.
func newQuickObject(s *jsonschema.Schema) *quick {
	q := &quick{required: s.Required, members: make(map[string]*quickValue, len(s.Properties))}
	for name, p := range s.Properties {
		m, ok := newQuickValue(p)
		if !ok {
			return nil
		}
		q.members[name] = &m
	}
	return q
}

func newQuickValue(s *jsonschema.Schema) (m quickValue, ok bool) {
	m.maximum = unlimited
	if !onlyHas(s, "Types", "Format", "MinLength", "MaxLength", "Minimum", "Required", "Properties", "Items2020") || s.Types == nil {
		return m, false
	}
	for _, t := range s.Types.ToStrings() {
		switch t {
		case "string":
			m.text = true
		case "null":
			m.null = true
		case "boolean":
			m.boolean = true
		case "number":
			m.number = true
		case "integer":
			m.integer = true
		case "object":
			if m.object = newQuickObject(s); m.object == nil {
				return m, false
			}
		case "array":
			m.array = true
			if s.Items2020 == nil {
				continue
			}
			elements, ok := newQuickValue(s.Items2020)
			if !ok {
				return m, false
			}
			m.elements = &elements
		}
	}
	if s.MinLength != nil {
		m.minimum = *s.MinLength
	}
	if s.MaxLength != nil {
		m.maximum = *s.MaxLength
	}
	if s.Format != nil {
		if s.Format.Name != "date-time" {
			return m, false
		}
		m.dateTime = true
	}
	if s.Minimum != nil {
		if s.Minimum.Sign() != 0 {
			return m, false
		}
		m.positive = true
	}
	return m, true
}

// annotations are the fields of a schema that say nothing of a body. Location
// and DraftVersion are where and how it was written.
var annotations = []string{"DraftVersion", "Location", "ID", "Anchor", "Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated"}

// onlyHas reports whether a schema has no keywords but those that are named. It
// looks at all fields there are, so that one of a later version of the library
// is not overlooked.
func onlyHas(s *jsonschema.Schema, keywords ...string) bool {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || slices.Contains(annotations, f.Name) || slices.Contains(keywords, f.Name) {
			continue
		}
		if !v.Field(i).IsZero() {
			return false
		}
	}
	return true
}

// attach puts the quick form into the tree of a reader, whose walks then find
// out on their way whether a body meets it.
func (q *quick) attach(n *node) {
	for name, m := range q.members {
		m.attach(n.child(name))
	}
	for _, name := range q.required {
		n.child(name).required = true
	}
	n.requires = len(q.required)
}

func (m *quickValue) attach(n *node) {
	n.check = m
	if m.object != nil {
		m.object.attach(n)
	}
	if m.elements != nil {
		m.elements.attach(n.element())
	}
}

// takes reports whether a member may be an object or an array.
func (m *quickValue) takes(kind jsontext.Kind) bool {
	return kind == '{' && m.object != nil || kind == '[' && m.array
}

// meets reports that a body surely meets the schema.
func (q *quick) meets(root any) bool {
	object, ok := root.(map[string]any)
	return ok && q.membersMeet(object)
}

func (q *quick) membersMeet(object map[string]any) bool {
	for _, name := range q.required {
		if _, ok := object[name]; !ok {
			return false
		}
	}
	for name, v := range object {
		if m, known := q.members[name]; known && !m.meets(v) {
			return false
		}
	}
	return true
}

func (m *quickValue) meets(v any) bool {
	switch v := v.(type) {
	case string:
		return m.text && m.lengthMeets(v) && (!m.dateTime || validateDateTime(v) == nil)
	case nil:
		return m.null
	case bool:
		return m.boolean
	case json.Number:
		negative := v[0] == '-'
		return (m.number || m.integer && isDigits(v)) && !(m.positive && negative)
	}
	return m.nestedMeets(v)
}

func (m *quickValue) nestedMeets(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return m.object != nil && m.object.membersMeet(v)
	case []any:
		if !m.array {
			return false
		}
		for _, element := range v {
			if m.elements != nil && !m.elements.meets(element) {
				return false
			}
		}
		return true
	}
	return false
}

func (m *quickValue) lengthMeets(s string) bool {
	if m.minimum <= 1 && m.maximum == unlimited {
		return len(s) >= m.minimum
	}
	n := utf8.RuneCountInString(s)
	return n >= m.minimum && n <= m.maximum
}

// isDigits reports whether a number is surely an integer.
func isDigits[T ~string](n T) bool {
	for i := range len(n) {
		if n[i] < '0' || n[i] > '9' {
			return false
		}
	}
	return true
}
