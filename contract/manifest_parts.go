package contract

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// alternative is one way to make an event ID.
type alternative struct {
	when     pointer  // what must be there. nil: nothing
	is       []string // the strings that it may be. nil: anything but null
	parts    []pointer
	optional []bool // parts that are left empty where they are absent
}

// alternativeFile is an alternative as it is written.
type alternativeFile struct {
	When     string   `json:"when"`
	Is       []string `json:"is"`
	Parts    []string `json:"parts"`
	Optional []string `json:"optional"`
}

// parseEventID reads a list of pointers, or one of alternatives.
func parseEventID(raw jsontext.Value) ([]alternative, error) {
	const missing = "event_id is missing, or names no member"
	if raw == nil {
		return nil, errors.New(missing)
	}
	var list []jsontext.Value
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.New("the value of /event_id has the wrong type")
	}
	if len(list) == 0 {
		return nil, errors.New(missing)
	}
	if list[0].Kind() != '{' {
		var parts []string
		if err := json.Unmarshal(raw, &parts); err != nil {
			return nil, errors.New("the value of /event_id has the wrong type")
		}
		ids, err := parsePointers(parts)
		if err != nil {
			return nil, fmt.Errorf("event_id: %w", err)
		}
		return []alternative{{parts: ids, optional: make([]bool, len(ids))}}, nil
	}
	all := make([]alternative, len(list))
	for i, value := range list {
		a, err := parseAlternative(value)
		if err != nil {
			return nil, fmt.Errorf("event_id, alternative %d: %w", i+1, err)
		}
		if a.when == nil && i < len(list)-1 {
			return nil, fmt.Errorf("event_id, alternative %d has no when: those behind it would never be asked", i+1)
		}
		all[i] = a
	}
	return all, nil
}

func parseAlternative(raw jsontext.Value) (a alternative, err error) {
	if raw.Kind() != '{' {
		return a, errors.New("it is not an object")
	}
	var f alternativeFile
	if err := json.Unmarshal(raw, &f, json.RejectUnknownMembers(true)); err != nil {
		return a, manifestError(err)
	}
	switch {
	case len(f.Parts) == 0:
		return a, errors.New("parts is missing, or names no member")
	case f.Is != nil && f.When == "":
		return a, errors.New("is needs a when")
	case f.Is != nil && len(f.Is) == 0:
		return a, errors.New("is has no value")
	}
	if f.When != "" {
		if a.when, err = parsePointer(f.When); err != nil {
			return a, fmt.Errorf("when: %w", err)
		}
	}
	if a.parts, err = parsePointers(f.Parts); err != nil {
		return a, fmt.Errorf("parts: %w", err)
	}
	a.is = f.Is
	a.optional = make([]bool, len(a.parts))
	for _, name := range f.Optional {
		i := slices.Index(f.Parts, name)
		if i < 0 {
			return a, fmt.Errorf("optional: %q is not among the parts", name)
		}
		a.optional[i] = true
	}
	if !slices.Contains(a.optional, false) {
		return a, errors.New("optional: one of the parts must be there")
	}
	return a, nil
}

// parseTimestamps reads a pointer, or a list of pointers.
func parseTimestamps(raw jsontext.Value) ([]pointer, error) {
	var list []string
	switch raw.Kind() {
	case 0, 'n':
		return nil, nil
	case '"':
		list = make([]string, 1)
		if err := json.Unmarshal(raw, &list[0]); err != nil {
			return nil, fmt.Errorf("timestamp: %w", err)
		}
	default:
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, errors.New("the value of /timestamp has the wrong type")
		}
	}
	pointers, err := parsePointers(list)
	if err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	return pointers, nil
}

func parseAliases(of map[string][]string) ([]alias, error) {
	var (
		aliases []alias
		all     []pointer
	)
	for _, name := range slices.Sorted(maps.Keys(of)) {
		p, err := parsePointer(name)
		if err != nil {
			return nil, err
		}
		from, err := parsePointers(of[name])
		if err != nil {
			return nil, fmt.Errorf("of %s: %w", p, err)
		}
		if len(from) == 0 {
			return nil, fmt.Errorf("%s has none", p)
		}
		for _, place := range append([]pointer{p}, from...) {
			if other := overlapping(place, all); other != nil {
				return nil, fmt.Errorf("%s and %s are the same place, or one holds the other", other, place)
			}
			all = append(all, place)
		}
		aliases = append(aliases, alias{of: p, from: from})
	}
	return aliases, nil
}

func parseValues(of map[string][]string) ([]knownValues, error) {
	var all []knownValues
	for _, name := range slices.Sorted(maps.Keys(of)) {
		p, err := parsePointer(name)
		if err != nil {
			return nil, err
		}
		if len(of[name]) == 0 {
			return nil, fmt.Errorf("%s has none", p)
		}
		all = append(all, knownValues{of: p, values: of[name]})
	}
	return all, nil
}

// check refuses what contradicts itself.
func (m *manifest) check() error {
	for _, a := range m.ids {
		for _, id := range a.parts {
			if overlapping(id, m.volatile) != nil {
				return fmt.Errorf("the event ID %s cannot be volatile", id)
			}
		}
	}
	for _, a := range m.aliases {
		for _, from := range a.from {
			if other := overlapping(from, m.volatile); other != nil {
				return fmt.Errorf("aliases: %s is volatile already, as %s: say so of %s", from, other, a.of)
			}
			for _, list := range [][]pointer{m.numbers, m.nulls, m.timestamps} {
				if overlapping(from, list) != nil {
					return fmt.Errorf("aliases: %s is another name of %s: say of that one what it is", from, a.of)
				}
			}
		}
	}
	return nil
}
