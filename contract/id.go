package contract

import (
	"crypto/sha256"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hookgate/hookgate/hook"
)

// CheckID returns the event ID for a value that a sender gave: of 1 to 255
// bytes of UTF-8 without control characters as it is, longer by its digest.
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

// joiner keeps the parts of a joined ID apart.
var joiner = strings.NewReplacer("%", "%25", "/", "%2F")

// eventID makes the event ID of what was found at its pointers.
func (w *walk) eventID() (string, error) {
	parts := make([]string, len(w.ids))
	for i, f := range w.ids {
		at := w.reader.ids[i]
		switch {
		case !f.there:
			return "", missing(at + " is absent")
		case f.kind == 'n':
			return "", missing(at + " is null")
		case f.kind != '"':
			return "", missing(at + " is not a string")
		case f.text == "":
			return "", missing(at + " is empty")
		case strings.ContainsFunc(f.text, unicode.IsControl):
			return "", missing(at + " has a control character")
		}
		parts[i] = f.text
	}
	if len(parts) == 1 {
		return CheckID(parts[0])
	}
	for i := range parts {
		parts[i] = joiner.Replace(parts[i])
	}
	return CheckID(strings.Join(parts, "/"))
}
