package contract

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/hookgate/hookgate/hook"
)

// maxViolations is how many a document reports at most.
const maxViolations = 20

// unknownCode is for what has no keyword, such as a schema that is false.
const unknownCode = "invalid"

// violations holds a body against the schema.
func (c *Contract) violations(root any) []hook.Violation {
	err := c.schema.Validate(root)
	if err == nil {
		return nil
	}
	r := report{root: root, declared: c.declared}
	if ve, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		r.collect(ve)
	}
	if len(r.found) == 0 {
		return []hook.Violation{{Code: unknownCode}} // whatever it was, the body did not pass
	}
	slices.SortFunc(r.found, func(a, b hook.Violation) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Code, b.Code))
	})
	found := slices.Compact(r.found)
	return slices.Clone(found[:min(len(found), maxViolations)])
}

// report makes violations of what a schema found.
type report struct {
	root     any
	declared map[string]bool
	found    []hook.Violation
}

// collect takes the leaves of the tree of causes.
func (r *report) collect(e *jsonschema.ValidationError) {
	if _, ok := e.ErrorKind.(*kind.PropertyNames); ok {
		// Its causes are about the name, and its own location is overwritten
		// in the library later on: nothing can be said of the place.
		r.add("", "propertyNames")
		return
	}
	for _, cause := range e.Causes {
		r.collect(cause)
	}
	if len(e.Causes) > 0 {
		return
	}
	at := r.place(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		r.addMissing(at, k.Missing)
	case *kind.DependentRequired:
		r.addMissing(at, k.Missing)
	case *kind.Dependency:
		r.addMissing(at, k.Missing)
	default:
		r.add(at, codeOf(e))
	}
}

func (r *report) add(at, code string) {
	r.found = append(r.found, hook.Violation{Pointer: at, Code: code})
}

// addMissing reports members that are missing. Their names are the schema's.
func (r *report) addMissing(at string, names []string) {
	for _, name := range names {
		r.add(at+"/"+escape(name), "missing")
	}
}

// codeOf returns the keyword that failed.
func codeOf(e *jsonschema.ValidationError) string {
	switch e.ErrorKind.(type) {
	case nil:
		return unknownCode
	case *kind.Not:
		return "not"
	case *kind.FalseSchema:
		for _, keyword := range []string{"unevaluatedProperties", "unevaluatedItems"} {
			if strings.HasSuffix(e.SchemaURL, "/"+keyword) {
				return keyword
			}
		}
		return unknownCode
	}
	if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
		return path[0]
	}
	return unknownCode
}

// place writes a location as a pointer. A name that the schema does not have is
// the sender's, and becomes a star.
func (r *report) place(location []string) string {
	var (
		b     strings.Builder
		value = r.root
	)
	for _, segment := range location {
		shown := segment
		switch v := value.(type) {
		case []any:
			i, err := strconv.Atoi(segment)
			if err != nil || i < 0 || i >= len(v) {
				return b.String() + "/*"
			}
			value = v[i]
		case map[string]any:
			if !r.declared[segment] {
				shown = "*"
			}
			value = v[segment]
		default:
			return b.String() + "/*"
		}
		b.WriteByte('/')
		b.WriteString(escape(shown))
	}
	return b.String()
}
