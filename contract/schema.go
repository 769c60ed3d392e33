package contract

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaURL is the address of a contract's schema, where it names none itself.
// It has a path, so that a relative reference is another address.
const schemaURL = "contract:///schema"

// compile makes a schema ready for use, and collects the member names that it
// declares. Formats are checked.
func compile(data []byte, declared map[string]bool) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "date-time", Validate: validateDateTime})
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, schemaError(err)
	}
	schema, err := c.Compile(schemaURL)
	if err != nil {
		return nil, schemaError(err)
	}
	declare(doc, declared)
	return schema, nil
}

// schemaError puts what is wrong with a schema in one line.
func schemaError(err error) error {
	invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err)
	if !ok {
		return fmt.Errorf("the schema: %w", err)
	}
	ve, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err)
	if !ok {
		return fmt.Errorf("not a JSON Schema: %w", invalid.Err)
	}
	return fmt.Errorf("not a JSON Schema: %s", strings.Join(leaves(ve, nil), "; "))
}

// leaves returns the texts of the causes that have no further cause.
func leaves(e *jsonschema.ValidationError, texts []string) []string {
	if len(e.Causes) == 0 {
		return append(texts, e.Error())
	}
	for _, cause := range e.Causes {
		texts = leaves(cause, texts)
	}
	return texts
}

// noLoader keeps a schema from fetching another one.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a contract is one file, and refers to no other")
}

// validateDateTime checks the format date-time. The library's own check takes
// signs for digits; this one agrees with Document.Timestamp.
func validateDateTime(v any) error {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	if !isTime(s) {
		return errors.New("not a time in the form of RFC 3339")
	}
	return nil
}

// declare collects the names of members that a schema speaks of.
func declare(schema any, into map[string]bool) {
	switch s := schema.(type) {
	case map[string]any:
		for keyword, value := range s {
			switch v := value.(type) {
			case map[string]any:
				if keyword == "properties" {
					for name := range v {
						into[name] = true
					}
				}
			case []any:
				if keyword == "required" {
					for _, name := range v {
						if name, ok := name.(string); ok {
							into[name] = true
						}
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
