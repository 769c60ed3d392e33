package deadletter

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Where is a value at a place of the body.
type Where struct {
	tokens []string // of the pointer
	text   string   // as it was written
	value  string
}

var (
	errWhere        = errors.New("it is written as a JSON pointer, =, and a value, such as /callOutcome=answered")
	errWherePointer = errors.New("a JSON pointer writes a tilde as ~0, and a slash in a name as ~1")
)

// ParseWhere reads a JSON Pointer (RFC 6901), an equals sign and a value. The
// value is that of a string, or a number, true, false or null as it is written
// in the body.
func ParseWhere(s string) (Where, error) {
	pointer, value, ok := strings.Cut(s, "=")
	if !ok || !strings.HasPrefix(pointer, "/") || !utf8.ValidString(s) {
		return Where{}, errWhere
	}
	w := Where{text: s, value: value, tokens: strings.Split(pointer[1:], "/")}
	for i, token := range w.tokens {
		rest := strings.ReplaceAll(strings.ReplaceAll(token, "~0", ""), "~1", "")
		if strings.Contains(rest, "~") {
			return Where{}, errWherePointer
		}
		w.tokens[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	}
	return w, nil
}

// MarshalText implements encoding.TextMarshaler.
func (w Where) MarshalText() ([]byte, error) { return []byte(w.text), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Where) UnmarshalText(text []byte) (err error) {
	*w, err = ParseWhere(string(text))
	return err
}

// match reports whether a body has the value. One that is not JSON has none.
func (w *Where) match(body []byte) bool {
	got, ok := lookup(body, w.tokens)
	if !ok {
		return false
	}
	if got.Kind() == '"' {
		text, err := jsontext.AppendUnquote(nil, got)
		return err == nil && string(text) == w.value
	}
	return got.Kind() != '{' && got.Kind() != '[' && string(got) == w.value
}

// lookup returns the value at a place.
func lookup(body []byte, tokens []string) (jsontext.Value, bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	for _, token := range tokens {
		if !enter(dec, token) {
			return nil, false
		}
	}
	v, err := dec.ReadValue()
	return v, err == nil
}

// enter goes to a member of the object, or an element of the array, that comes
// next.
func enter(dec *jsontext.Decoder, token string) bool {
	begin, err := dec.ReadToken()
	if err != nil {
		return false
	}
	switch begin.Kind() {
	case '{':
		for dec.PeekKind() == '"' {
			name, err := dec.ReadToken()
			if err != nil {
				return false
			}
			if name.String() == token {
				return true
			}
			if dec.SkipValue() != nil {
				return false
			}
		}
	case '[':
		index, err := strconv.ParseUint(token, 10, 31)
		if err != nil || strconv.FormatUint(index, 10) != token {
			return false
		}
		for ; index > 0; index-- {
			if k := dec.PeekKind(); k == ']' || dec.SkipValue() != nil {
				return false
			}
		}
		return dec.PeekKind() != ']'
	}
	return false
}
