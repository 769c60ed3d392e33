package provision

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hookgate/hookgate/contract"
)

// Template is what a data action is made of that sends the events of a contract.
type Template struct {
	Input   json.RawMessage // schema of the action's input
	Body    string          // the body in Velocity
	LeftOut []string        // members that no template can write, and none that is required
}

// member is one that a template writes.
type member struct {
	name, kind string // string, number, integer or boolean
	required   bool
	null       bool // it is null where there is no value; else it is left out
}

// inputName is a name that Velocity takes for a reference.
var inputName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// NewTemplate makes the template for a contract. Its members are texts, numbers
// and booleans, as a flow has them.
func NewTemplate(c *contract.Contract) (Template, error) {
	var (
		t       Template
		members []member
	)
	for _, m := range c.Members() {
		kind, null, err := kindOf(m)
		switch {
		case err != nil && m.Required:
			return t, fmt.Errorf("contract %s: %w: take another contract, or make the data action by hand", c.ID(), err)
		case err != nil:
			t.LeftOut = append(t.LeftOut, m.Name)
			continue
		}
		members = append(members, member{name: m.Name, kind: kind, required: m.Required, null: null})
	}
	if !slices.ContainsFunc(members, func(m member) bool { return m.required }) {
		return t, fmt.Errorf("contract %s: it requires no member, so that a data action would have nothing to send", c.ID())
	}
	var err error
	t.Input, err = inputSchema(members)
	t.Body = body(members)
	return t, err
}

// kindOf returns the one type of a member, beside null.
func kindOf(m contract.Member) (kind string, null bool, err error) {
	for _, t := range m.Types {
		switch {
		case t == "null":
			null = true
		case kind != "":
			return "", false, fmt.Errorf("the member %s has several types", m.Name)
		default:
			kind = t
		}
	}
	switch kind {
	case "string", "number", "integer", "boolean":
	case "":
		return "", false, fmt.Errorf("the member %s has no type", m.Name)
	default:
		return "", false, fmt.Errorf("the member %s is of the type %s, which a flow cannot give to a data action", m.Name, kind)
	}
	if !inputName.MatchString(m.Name) {
		return "", false, fmt.Errorf("the member %q has a name that a template cannot refer to", m.Name)
	}
	return kind, null, nil
}

// inputSchema describes the input, in the draft that Genesys takes.
func inputSchema(members []member) (json.RawMessage, error) {
	type property struct {
		Type string `json:"type"`
	}
	schema := struct {
		Schema     string              `json:"$schema"`
		Type       string              `json:"type"`
		Required   []string            `json:"required"`
		Properties map[string]property `json:"properties"`
		Additional bool                `json:"additionalProperties"`
	}{Schema: "http://json-schema.org/draft-04/schema#", Type: "object", Properties: map[string]property{}, Additional: true}
	for _, m := range members {
		schema.Properties[m.name] = property{m.kind}
		if m.required && !m.null {
			schema.Required = append(schema.Required, m.name)
		}
	}
	return json.Marshal(schema)
}

// outputSchema describes the edge's answer.
const outputSchema = `{"$schema":"http://json-schema.org/draft-04/schema#","type":"object",` +
	`"properties":{"status":{"type":"string"},"event_id":{"type":"string"}},"additionalProperties":true}`

// body writes the members as JSON. Genesys holds the input against its schema
// first, so that what is required is there; what is not may be empty, and
// Velocity would write its reference for it.
func body(members []member) string {
	slices.SortStableFunc(members, func(a, b member) int { return order(a) - order(b) })
	var b strings.Builder
	b.WriteString("{")
	for i, m := range members {
		comma := ","
		if i == 0 {
			comma = ""
		}
		there := fmt.Sprintf("#if(\"$!{input.%s}\" != \"\")", m.name)
		switch {
		case m.required && !m.null && m.kind == "string":
			fmt.Fprintf(&b, "%s%q:%s", comma, m.name, m.value())
		case m.required || m.null:
			fmt.Fprintf(&b, "%s%q:%s%s#{else}null#end", comma, m.name, there, m.value())
		default:
			fmt.Fprintf(&b, "%s%s%q:%s#end", there, comma, m.name, m.value())
		}
	}
	b.WriteString("}")
	return b.String()
}

// order has what may be left out come last: it brings its own comma.
func order(m member) int {
	if m.required || m.null {
		return 0
	}
	return 1
}

// value writes a value that is there: texts are escaped.
func (m member) value() string {
	if m.kind == "string" {
		return fmt.Sprintf("\"$esc.jsonString(${input.%s})\"", m.name)
	}
	return fmt.Sprintf("${input.%s}", m.name)
}
