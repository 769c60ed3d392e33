package contract

import (
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// quick is a schema of the plain kind that most contracts are: an object whose
// members have types, and little else. A walk holds the members against it as it
// comes by, and needs no tree for it. It finds out at little cost that a body
// meets the schema, which is what nearly all do; of any other it says nothing,
// and the library has the word (bench/README.md).
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

// meets reports that a value surely is what a member may be; of an object or an
// array, that there may be one. The text is that of a string or a number.
func (m *quickValue) meets(kind jsontext.Kind, text []byte) bool {
	switch kind {
	case '"':
		return m.text && m.lengthMeets(text) && (!m.dateTime || isTime(text))
	case '0':
		return (m.number || m.integer && isDigits(text)) && !(m.positive && text[0] == '-')
	case 't', 'f':
		return m.boolean
	case 'n':
		return m.null
	case '{':
		return m.object != nil
	case '[':
		return m.array
	}
	return false
}

func (m *quickValue) lengthMeets(text []byte) bool {
	if m.minimum <= 1 && m.maximum == unlimited {
		return len(text) >= m.minimum
	}
	n := utf8.RuneCount(text)
	return n >= m.minimum && n <= m.maximum
}

// isDigits reports whether a number is surely an integer.
func isDigits[T string | []byte](n T) bool {
	for i := range len(n) {
		if n[i] < '0' || n[i] > '9' {
			return false
		}
	}
	return true
}
