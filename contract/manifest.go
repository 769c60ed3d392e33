package contract

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// manifest is the member x-hookgate of a schema: what a JSON Schema has no
// words for.
type manifest struct {
	Name    string
	Version int

	ids        []alternative // the first that holds says where the event ID is
	aliases    []alias
	numbers    []pointer // a star stands for each element of an array
	nulls      []pointer
	values     []knownValues
	volatile   []pointer
	timestamps []pointer
}

// alias is a member, and the other names that it came under.
type alias struct {
	of   pointer
	from []pointer
}

// knownValues are those that a member is known to have.
type knownValues struct {
	of     pointer // a star stands for each element of an array
	values []string
}

// manifestFile is a manifest as it is written.
type manifestFile struct {
	// Name of the contract, in the form of a hook's name.
	Name string `json:"name"`

	// Version, from 1. It changes with the schema.
	Version int `json:"version"`

	// EventID has the JSON Pointers to the parts of the event ID, or a list
	// of alternatives.
	EventID jsontext.Value `json:"event_id"`

	// Aliases has other pointers that a member came under. Default: none.
	Aliases map[string][]string `json:"aliases"`

	// Numbers has the pointers to numbers that may come in a string. Default:
	// none.
	Numbers []string `json:"numbers"`

	// Nulls has the pointers to members that are null where they are absent.
	// Default: none.
	Nulls []string `json:"nulls"`

	// Values has the known values of members; others are taken, and reported.
	// Default: none are reported.
	Values map[string][]string `json:"values"`

	// Volatile has the JSON Pointers to what differs between two deliveries
	// of one event. Default: nothing.
	Volatile []string `json:"volatile"`

	// Timestamp is the JSON Pointer to the time of the event, or a list of
	// which the first one counts that is there: RFC 3339, or milliseconds
	// since 1970 where it is among the numbers. Default: the event has none.
	Timestamp jsontext.Value `json:"timestamp"`
}

// parseManifest takes the manifest out of a schema file. It is strict about
// both: UTF-8, each name once, nothing behind the object; and in the manifest
// no unknown member.
func parseManifest(data []byte) (manifest, error) {
	var file struct {
		Manifest jsontext.Value `json:"x-hookgate"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		if _, ok := errors.AsType[*json.SemanticError](err); ok {
			return manifest{}, errors.New("a schema with a manifest is a JSON object")
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return manifest{}, fmt.Errorf("the file breaks off: %w", err)
		}
		return manifest{}, err
	}
	if file.Manifest == nil {
		return manifest{}, errors.New("the manifest is missing: a member x-hookgate with name, version and event_id")
	}
	if file.Manifest.Kind() != '{' {
		return manifest{}, errors.New("x-hookgate is not an object")
	}
	var f manifestFile
	if err := json.Unmarshal(file.Manifest, &f, json.RejectUnknownMembers(true)); err != nil {
		return manifest{}, fmt.Errorf("x-hookgate: %w", manifestError(err))
	}
	m, err := f.parse()
	if err != nil {
		return manifest{}, fmt.Errorf("x-hookgate: %w", err)
	}
	return m, nil
}

// manifestError says it in the words of the manifest, not in those of Go.
func manifestError(err error) error {
	se, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return err
	case errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("unknown member %q", se.JSONPointer.LastToken())
	}
	return fmt.Errorf("the value of %s has the wrong type", se.JSONPointer)
}

func (f *manifestFile) parse() (m manifest, err error) {
	switch {
	case f.Name == "":
		return m, errors.New("name is missing")
	case !hook.ValidName(f.Name):
		return m, fmt.Errorf("%q cannot name a contract: 1 to 64 of a-z, 0-9, dot, underscore and hyphen, the first one a letter or a digit", f.Name)
	case f.Version < 1:
		return m, errors.New("version is missing, or not a number from 1")
	}
	m.Name, m.Version = f.Name, f.Version
	if m.ids, err = parseEventID(f.EventID); err != nil {
		return m, err
	}
	for _, part := range []struct {
		name string
		list []string
		into *[]pointer
	}{{"numbers", f.Numbers, &m.numbers}, {"nulls", f.Nulls, &m.nulls}, {"volatile", f.Volatile, &m.volatile}} {
		if *part.into, err = parsePointers(part.list); err != nil {
			return m, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if m.timestamps, err = parseTimestamps(f.Timestamp); err != nil {
		return m, err
	}
	if m.aliases, err = parseAliases(f.Aliases); err != nil {
		return m, fmt.Errorf("aliases: %w", err)
	}
	if m.values, err = parseValues(f.Values); err != nil {
		return m, fmt.Errorf("values: %w", err)
	}
	return m, m.check()
}
