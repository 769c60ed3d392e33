package contract

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// scalar reads a string, a number, true, false or null. It returns it where a
// tree is built.
func (w *walk) scalar(n *node) (any, error) {
	raw, err := w.decoder.ReadValue()
	if err != nil {
		return nil, w.syntaxError(err)
	}
	to := w.decoder.InputOffset()
	at := span{to - int64(len(raw)), to}
	l := looked{found: found{kind: raw.Kind()}}
	switch {
	case l.kind == '0':
		if err := checkNumber(raw, at); err != nil {
			return nil, err
		}
		l.text = w.body[at.from:at.to]
	case l.kind == '"' && (n != nil || w.builds):
		if l.text, err = w.unquote(at); err != nil {
			return nil, err
		}
	}
	if n != nil {
		if l.kind == '"' && n.looks {
			if l = w.look(n, l.text, at); l.raw != "" {
				w.splices = append(w.splices, splice{at: at, text: l.raw})
			}
		}
		w.check(n, l.kind, l.text)
		w.note(n, l.found, at)
		if n.alias > 0 {
			w.moved[n.alias-1] = moved{l, at}
		}
	}
	switch {
	case !w.builds:
		return nil, nil
	case l.kind == '"' && l.raw == "":
		return w.string(l.text, at), nil
	}
	return tree(l.found), nil
}

// name reads the name of a member, and finds its place in the tree of
// pointers, where its object has one. It returns the name where a tree is built.
func (w *walk) name(n *node) (string, *node, error) {
	if w.decoder.PeekKind() != '"' {
		_, err := w.decoder.ReadToken() // not ReadValue, which would read all of what stands for a name
		return "", nil, w.syntaxError(err)
	}
	raw, err := w.decoder.ReadValue()
	if err != nil {
		return "", nil, w.syntaxError(err)
	}
	if n == nil && !w.builds {
		return "", nil, nil
	}
	to := w.decoder.InputOffset()
	at := span{to - int64(len(raw)), to}
	text, err := w.unquote(at)
	if err != nil {
		return "", nil, err
	}
	var child *node
	if n != nil {
		child = n.children[string(text)] // which allocates nothing
		if child == nil && n.stranger != "" {
			w.report(n.stranger, hook.DriftUnknownMember)
		}
	}
	if !w.builds {
		return "", child, nil
	}
	return w.string(text, at), child, nil
}

// unquote returns what a string in JSON stands for: a part of the body, where
// it has no escapes.
func (w *walk) unquote(at span) ([]byte, error) {
	raw := w.body[at.from:at.to]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return nil, w.syntaxError(err)
	}
	return text, nil
}

// string returns for the tree what unquote has returned. What has no escapes is
// as long as it is in the body.
func (w *walk) string(text []byte, at span) string {
	if int64(len(text)) == at.to-at.from-int64(len(`""`)) {
		return w.text[at.from+1 : at.to-1]
	}
	return string(text)
}

// checkNumber checks what RFC 7493, section 2.2 asks of a number: one with an
// exponent must fit a float64.
func checkNumber(raw jsontext.Value, at span) error {
	if len(raw) > MaxNumber {
		return invalid(at.from, "a number has more than %d characters", MaxNumber)
	}
	if hasExponent(raw) {
		if _, err := strconv.ParseFloat(string(raw), 64); err != nil {
			return invalid(at.from, "a number is too large")
		}
	}
	return nil
}

func hasExponent(number []byte) bool { return bytes.ContainsAny(number, "eE") }

// tree returns a scalar as the schema sees it.
//
// A number with an exponent is a float64 there: exact arithmetic with 1e999999
// would take the checks of a schema seconds, and beyond 1e1000000 a nil pointer.
func tree(f found) any {
	switch f.kind {
	case '"':
		return string(f.text)
	case '0':
		if hasExponent(f.text) {
			v, _ := strconv.ParseFloat(string(f.text), 64) // which checkNumber has tried
			return v
		}
		return json.Number(f.text)
	case 't', 'f':
		return f.kind == 't'
	}
	return nil
}
