package contract

import (
	"crypto/sha256"
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

// found is what stands at a pointer of the event ID.
type found struct {
	kind jsontext.Kind // 0: nothing
	text string        // of a string
}

// problem says why it cannot be a part of an event ID, "" if it can.
func (f found) problem() string {
	switch {
	case f.kind == 0:
		return "is absent"
	case f.kind == 'n':
		return "is null"
	case f.kind != '"':
		return "is not a string"
	case f.text == "":
		return "is empty"
	case strings.ContainsFunc(f.text, unicode.IsControl):
		return "has a control character"
	}
	return ""
}

// eventID makes the event ID of what was found at its pointers.
func (r *Reader) eventID(parts []found) (string, error) {
	for i, part := range parts {
		if why := part.problem(); why != "" {
			return "", missing("the event ID " + r.ids[i].String() + " " + why)
		}
	}
	if len(parts) == 1 {
		return CheckID(parts[0].text)
	}
	var id strings.Builder
	for i, part := range parts {
		if i > 0 {
			id.WriteByte('/')
		}
		id.WriteString(encodePart(part.text))
	}
	return CheckID(id.String())
}

// encodePart keeps the parts of a joined ID apart.
func encodePart(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "%", "%25"), "/", "%2F")
}
