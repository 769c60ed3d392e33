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
	// Name of the contract, in the form of a hook's name.
	Name string `json:"name"`

	// Version, from 1. It changes with the schema.
	Version int `json:"version"`

	// EventID has the JSON Pointers to the parts of the event ID.
	EventID []string `json:"event_id"`

	// Volatile has the JSON Pointers to what differs between two deliveries
	// of one event. Default: nothing.
	Volatile []string `json:"volatile"`

	// Timestamp is the JSON Pointer to the time of the event, in the form of
	// RFC 3339. Default: the event has none.
	Timestamp *string `json:"timestamp"`
}

// parseManifest takes the manifest out of a schema file. It is strict about
// both: UTF-8, each name once, nothing behind the object; and in the manifest
// no unknown member.
func parseManifest(data []byte) (manifest, error) {
	var (
		m    manifest
		file struct {
			Manifest jsontext.Value `json:"x-hookgate"`
		}
	)
	if err := json.Unmarshal(data, &file); err != nil {
		if _, ok := errors.AsType[*json.SemanticError](err); ok {
			return m, errors.New("a schema with a manifest is a JSON object")
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return m, fmt.Errorf("the file breaks off: %w", err)
		}
		return m, err
	}
	if file.Manifest == nil {
		return m, errors.New("the manifest is missing: a member x-hookgate with name, version and event_id")
	}
	if file.Manifest.Kind() != '{' {
		return m, errors.New("x-hookgate is not an object")
	}
	if err := json.Unmarshal(file.Manifest, &m, json.RejectUnknownMembers(true)); err != nil {
		return m, manifestError(err)
	}
	return m, m.check()
}

// manifestError says it in the words of the manifest, not in those of Go.
func manifestError(err error) error {
	se, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return fmt.Errorf("x-hookgate: %w", err)
	case errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("x-hookgate: unknown member %q", se.JSONPointer.LastToken())
	}
	return fmt.Errorf("x-hookgate: the value of %s has the wrong type", se.JSONPointer)
}

func (m *manifest) check() error {
	switch {
	case m.Name == "":
		return errors.New("x-hookgate: name is missing")
	case !hook.ValidName(m.Name):
		return fmt.Errorf("x-hookgate: %q cannot name a contract: 1 to 64 of a-z, 0-9, dot, underscore and hyphen, the first one a letter or a digit", m.Name)
	case m.Version < 1:
		return errors.New("x-hookgate: version is missing, or not a number from 1")
	case len(m.EventID) == 0:
		return errors.New("x-hookgate: event_id is missing, or names no member")
	}
	ids, err := parsePointers(m.EventID)
	if err != nil {
		return fmt.Errorf("x-hookgate: event_id: %w", err)
	}
	volatile, err := parsePointers(m.Volatile)
	if err != nil {
		return fmt.Errorf("x-hookgate: volatile: %w", err)
	}
	for _, id := range ids {
		if p := overlapping(id, volatile); p != nil {
			return fmt.Errorf("x-hookgate: the event ID %s cannot be volatile", id)
		}
	}
	if m.Timestamp != nil {
		if _, err := parsePointer(*m.Timestamp); err != nil {
			return fmt.Errorf("x-hookgate: timestamp: %w", err)
		}
	}
	return nil
}
