package contract

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// scalar reads a string, a number, true, false or null.
func (w *walk) scalar(n *node) (any, error) {
	raw, err := w.decoder.ReadValue()
	if err != nil {
		return nil, w.syntaxError(err)
	}
	to := w.decoder.InputOffset()
	at := span{to - int64(len(raw)), to}
	kind := raw.Kind()

	var (
		v    any
		text string
	)
	switch kind {
	case '"':
		if !w.builds() && n == nil {
			return nil, nil
		}
		if text, err = w.unquote(raw, at); err != nil {
			return nil, err
		}
		if w.builds() {
			v = text
		}
	case '0':
		if v, err = w.number(raw, at); err != nil {
			return nil, err
		}
		if n != nil && w.builds() {
			text = w.text[at.from:at.to]
		}
	case 't', 'f':
		v = kind == 't'
	}
	if n == nil {
		return v, nil
	}
	if kind == '"' && n.looks {
		l := w.look(n, text, v, at)
		if l.raw != "" {
			w.splices = append(w.splices, splice{at, l.raw})
		}
		kind, text, v = l.kind, l.text, l.value
	}
	if n.check != nil && !n.check.meets(v) {
		w.unsure = true
	}
	w.note(n, kind, text, at)
	if n.alias > 0 {
		w.moved[n.alias-1] = moved{looked{kind: kind, text: text, value: v}, at}
	}
	return v, nil
}

// name reads the name of a member, and finds its place in the tree of
// pointers, where its object has one.
func (w *walk) name(n *node) (string, *node, error) {
	if w.decoder.PeekKind() != '"' {
		_, err := w.decoder.ReadToken() // not ReadValue, which would read all of what stands for a name
		return "", nil, w.syntaxError(err)
	}
	raw, err := w.decoder.ReadValue()
	if err != nil {
		return "", nil, w.syntaxError(err)
	}
	if !w.builds() && (n == nil || n.children == nil) {
		return "", nil, nil
	}
	if !w.builds() && isPlain(raw) {
		return "", n.children[string(raw[1:len(raw)-1])], nil // which allocates nothing
	}
	to := w.decoder.InputOffset()
	name, err := w.unquote(raw, span{to - int64(len(raw)), to})
	if err != nil || n == nil {
		return name, nil, err
	}
	child := n.children[name]
	if child == nil && n.stranger != "" {
		w.report(n.stranger, hook.DriftUnknownMember)
	}
	return name, child, nil
}

// unquote returns what a string in JSON stands for.
func (w *walk) unquote(raw jsontext.Value, at span) (string, error) {
	switch {
	case !isPlain(raw):
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return "", w.syntaxError(err)
		}
		return string(text), nil
	case w.text != "":
		return w.text[at.from+1 : at.to-1], nil
	}
	return string(raw[1 : len(raw)-1]), nil
}

// isPlain reports whether a string in JSON has no escapes.
func isPlain(raw jsontext.Value) bool { return bytes.IndexByte(raw, '\\') < 0 }

// number checks a number, and returns it where a tree is built.
//
// One with an exponent must fit a float64, as RFC 7493, section 2.2 has it, and
// the schema sees it as such: exact arithmetic with 1e999999 would take the
// checks of a schema seconds, and beyond 1e1000000 a nil pointer.
func (w *walk) number(raw jsontext.Value, at span) (any, error) {
	if len(raw) > MaxNumber {
		return nil, invalid(at.from, "a number has more than %d characters", MaxNumber)
	}
	if bytes.ContainsAny(raw, "eE") {
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return nil, invalid(at.from, "a number is too large")
		}
		return f, nil
	}
	if !w.builds() {
		return nil, nil
	}
	return json.Number(w.text[at.from:at.to]), nil
}
