package contract

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// CheckID returns the event ID for a value that a sender gave. A value of 1 to
// 255 bytes is the ID itself; a longer one is replaced by its digest, see
// hook.DigestID. It must be UTF-8 and have no control characters (C0, DEL, C1).
// The error is a *hook.Error with the code missing_event_id.
func CheckID(s string) (string, error) {
	switch {
	case s == "":
		return "", missing("the event ID is empty")
	case !utf8.ValidString(s):
		return "", missing("the event ID is not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", missing("the event ID has a control character")
	case len(s) > hook.MaxIDLength:
		return hook.DigestID(sha256.Sum256([]byte(s))), nil
	}
	return s, nil
}

func missing(why string) error {
	return &hook.Error{Code: hook.CodeMissingEventID, Detail: why}
}

// found is what stands at a place.
type found struct {
	kind jsontext.Kind // 0: nothing
	text []byte        // of a string or a number
}

// problem says why it cannot be a part of an event ID, "" if it can.
func (f found) problem(number bool) string {
	switch {
	case f.kind == 0:
		return "is absent"
	case f.kind == 'n':
		return "is null"
	case f.kind == '0' && number:
		if isDigits(bytes.TrimPrefix(f.text, []byte("-"))) {
			return ""
		}
		return "is not an integer"
	case f.kind != '"':
		return "is not a string"
	case len(f.text) == 0:
		return "is empty"
	case bytes.ContainsFunc(f.text, unicode.IsControl):
		return "has a control character"
	}
	return ""
}

// place is one that an event ID may be made of.
type place struct {
	pointer pointer
	number  bool // it may be an integer
}

// recipe is an alternative, by places.
type recipe struct {
	when     int // -1: always
	is       []string
	parts    []int
	optional []bool
}

// holds reports whether a body is one that the recipe is for.
func (c *recipe) holds(found []found) bool {
	if c.when < 0 {
		return true
	}
	f := found[c.when]
	if c.is != nil {
		return f.kind == '"' && slices.Contains(c.is, string(f.text))
	}
	return f.kind != 0 && f.kind != 'n'
}

// eventID makes the event ID of what was found.
func (r *Reader) eventID(found []found) (string, error) {
	for i := range r.recipes {
		if r.recipes[i].holds(found) {
			return r.cook(&r.recipes[i], found)
		}
	}
	return "", missing("the event ID: the body is of no kind that the contract has one for")
}

func (r *Reader) cook(c *recipe, found []found) (string, error) {
	for i, at := range c.parts {
		f := found[at]
		if c.optional[i] && (f.kind == 0 || f.kind == 'n' || f.kind == '"' && len(f.text) == 0) {
			continue
		}
		p := &r.places[at]
		if why := f.problem(p.number); why != "" {
			return "", missing("the event ID " + p.pointer.String() + " " + why)
		}
	}
	if len(c.parts) == 1 {
		return CheckID(string(found[c.parts[0]].text))
	}
	id := make([]byte, 0, hook.MaxIDLength)
	for i, at := range c.parts {
		if i > 0 {
			id = append(id, '/')
		}
		id = appendPart(id, found[at].text)
	}
	return CheckID(string(id))
}

// appendPart adds a part to a joined ID, and keeps it apart from the others.
func appendPart(id, part []byte) []byte {
	for _, c := range part {
		switch c {
		case '%':
			id = append(id, "%25"...)
		case '/':
			id = append(id, "%2F"...)
		default:
			id = append(id, c)
		}
	}
	return id
}
