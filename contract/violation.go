package contract

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/hookgate/hookgate/hook"
)

// maxViolations is how many a document reports at most.
const maxViolations = 20

// check holds a value against the schema.
func (c *Contract) check(value any) []hook.Violation {
	err := c.schema.Validate(value)
	if err == nil {
		return nil
	}
	var violations []hook.Violation
	if ve, ok := err.(*jsonschema.ValidationError); ok { //nolint:errorlint // it is documented to be this type itself
		violations = c.collect(ve, nil)
	}
	if len(violations) == 0 {
		return []hook.Violation{{Code: "invalid"}}
	}
	slices.SortFunc(violations, func(a, b hook.Violation) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Code, b.Code))
	})
	violations = slices.Compact(violations)
	return violations[:min(len(violations), maxViolations)]
}

// collect takes the leaves of the tree of causes.
func (c *Contract) collect(e *jsonschema.ValidationError, into []hook.Violation) []hook.Violation {
	for _, cause := range e.Causes {
		into = c.collect(cause, into)
	}
	if len(e.Causes) > 0 {
		return into
	}
	at := c.place(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			into = append(into, hook.Violation{Pointer: at + "/" + escape(name), Code: "missing"})
		}
	case *kind.Type:
		into = append(into, hook.Violation{Pointer: at, Code: "type"})
	default:
		code := "invalid"
		if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
			code = path[0]
		}
		into = append(into, hook.Violation{Pointer: at, Code: code})
	}
	return into
}

// place writes a location as a pointer. A name that the schema does not have is
// the sender's, and becomes a star.
func (c *Contract) place(location []string) string {
	var b strings.Builder
	for _, name := range location {
		b.WriteByte('/')
		if _, err := strconv.Atoi(name); err != nil && !c.declared[name] {
			name = "*"
		}
		b.WriteString(escape(name))
	}
	return b.String()
}

// checkSyntax holds a schema file against the rules for bodies.
func checkSyntax(data []byte) error {
	r, err := NewReader(Options{})
	if err != nil {
		return err
	}
	_, err = r.Read(data)
	return err
}
