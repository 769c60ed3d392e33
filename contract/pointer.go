package contract

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// pointer is a JSON Pointer (RFC 6901) through objects: the names on the way.
type pointer []string

// parsePointer reads a pointer strictly. It must name a member: the pointer to
// the whole document and empty names are refused, for they are slips.
func parsePointer(s string) (pointer, error) {
	if !strings.HasPrefix(s, "/") {
		return nil, fmt.Errorf("%q is not a JSON pointer: it begins with a slash, such as /webhookEventId", s)
	}
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%q is not a JSON pointer: it is not UTF-8", s)
	}
	p := pointer(strings.Split(s[1:], "/"))
	for i, name := range p {
		if name == "" {
			return nil, fmt.Errorf("%q is not a JSON pointer to a member: it has an empty name", s)
		}
		for at := range len(name) {
			if name[at] == '~' && (at+1 == len(name) || name[at+1] != '0' && name[at+1] != '1') {
				return nil, fmt.Errorf("%q is not a JSON pointer: a tilde is written ~0, and a slash in a name ~1", s)
			}
		}
		p[i] = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	}
	return p, nil
}

// parsePointers reads a list of pointers, none of which is or holds another.
func parsePointers(list []string) ([]pointer, error) {
	var pointers []pointer
	for _, s := range list {
		p, err := parsePointer(s)
		if err != nil {
			return nil, err
		}
		if other := overlapping(p, pointers); other != nil {
			return nil, fmt.Errorf("%s and %s are the same place, or one holds the other", other, p)
		}
		pointers = append(pointers, p)
	}
	return pointers, nil
}

// contains reports whether a list has a pointer.
func contains(list []pointer, p pointer) bool {
	return slices.ContainsFunc(list, func(other pointer) bool { return slices.Equal(other, p) })
}

// overlapping returns the first pointer of the list that is, holds or is
// within p, nil for none.
func overlapping(p pointer, list []pointer) pointer {
	for _, other := range list {
		n := min(len(p), len(other))
		if slices.Equal(p[:n], other[:n]) {
			return other
		}
	}
	return nil
}

// String writes the pointer as RFC 6901 has it.
func (p pointer) String() string {
	var b strings.Builder
	for _, name := range p {
		b.WriteByte('/')
		b.WriteString(escape(name))
	}
	return b.String()
}

// escape writes a name as part of a pointer.
func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
