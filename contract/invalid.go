package contract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// invalid returns the error for a body that is not taken for JSON, and says
// where: by byte, for names on the way are the sender's.
func invalid(offset int64, format string, args ...any) error {
	why := fmt.Sprintf(format, args...)
	return &hook.Error{Code: hook.CodeInvalidJSON, Detail: fmt.Sprintf("%s, at byte %d", why, offset)}
}

// checkText checks what can be said before any parsing.
func checkText(body []byte) error {
	switch {
	case len(bytes.TrimLeft(body, whiteSpace)) == 0:
		return invalid(0, "the body is empty")
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return invalid(0, "the body begins with a byte order mark")
	case utf8.Valid(body):
		return nil
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(body[at:])
		if r == utf8.RuneError && size <= 1 {
			return invalid(int64(at), "the body is not UTF-8")
		}
		at += size
	}
}

// syntaxError says what the decoder found, without its words, which quote the
// body.
func (w *walk) syntaxError(err error) error {
	offset := w.next()
	if se, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset = min(se.ByteOffset, int64(len(w.body)))
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return invalid(offset, "a name stands twice in one object")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return invalid(offset, "the body breaks off")
	case bytes.HasPrefix(w.body[offset:], []byte(`\`)):
		return invalid(offset, "a string has an escape that does not exist, or half of a surrogate pair")
	}
	return invalid(offset, "the body is not JSON")
}
