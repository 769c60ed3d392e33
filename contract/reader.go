package contract

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// The limits on a body. What is beyond them is not taken for JSON.
const (
	MaxDepth   = 32     // objects and arrays within each other
	MaxMembers = 1000   // of one object or array
	MaxNodes   = 10_000 // values in all
	MaxNumber  = 64     // characters of a number
)

// EventID says where the event ID is, if not where the contract says.
type EventID struct {
	Pointers []string // JSON Pointers (RFC 6901) through objects; several are joined by a slash
	Body     bool     // the digest of the fingerprint is the ID
}

// Options of a Reader.
type Options struct {
	// Contract that bodies are held against. Default: None.
	Contract *Contract

	// EventID. Default: the contract's. An empty one looks for no ID: it is
	// somewhere else in the request.
	EventID *EventID
}

// Document is what was read of a body.
type Document struct {
	ID           string           // "" where nobody said where to look
	Fingerprint  hook.Fingerprint // of the body less the contract's volatile members
	Timestamp    time.Time        // of the event
	HasTimestamp bool
	Violations   []hook.Violation // sorted by pointer
}

// Reader reads bodies. It is safe for use by many goroutines.
type Reader struct {
	contract *Contract
	ids      []string // pointers of the event ID, as written
	idBody   bool
	tree     *node
	targets  []target
	walks    sync.Pool
}

// target is what a reader looks for at a place.
type target struct {
	kind targetKind
	id   int // which pointer of the event ID
}

type targetKind uint8

const (
	targetID targetKind = iota
	targetVolatile
	targetTimestamp
)

// NewReader returns a Reader.
func NewReader(opts Options) (*Reader, error) {
	c := opts.Contract
	if c == nil {
		c = None()
	}
	r := &Reader{contract: c, tree: new(node)}
	r.ids = c.manifest.EventID
	if e := opts.EventID; e != nil {
		if e.Body && len(e.Pointers) > 0 {
			return nil, errors.New("contract: an event ID is in the body's members or is its digest, not both")
		}
		r.ids, r.idBody = e.Pointers, e.Body
	}
	for i, s := range r.ids {
		if err := r.look(s, target{targetID, i}); err != nil {
			return nil, err
		}
	}
	for _, s := range c.manifest.Volatile {
		if err := r.look(s, target{kind: targetVolatile}); err != nil {
			return nil, err
		}
	}
	if s := c.manifest.Timestamp; s != "" {
		if err := r.look(s, target{kind: targetTimestamp}); err != nil {
			return nil, err
		}
	}
	r.walks.New = func() any { return &walk{decoder: new(jsontext.Decoder), buffer: new(bytes.Buffer)} }
	return r, nil
}

func (r *Reader) look(s string, t target) error {
	p, err := parsePointer(s)
	if err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	r.tree.add(p, len(r.targets))
	r.targets = append(r.targets, t)
	return nil
}

// Read reads a body. Its errors are *hook.Error with the codes invalid_json and
// missing_event_id; they name places, never values. Nothing of the body is
// kept.
func (r *Reader) Read(body []byte) (Document, error) {
	w := r.walks.Get().(*walk)
	defer r.walks.Put(w)
	if err := w.run(r, body); err != nil {
		return Document{}, err
	}
	var doc Document
	doc.Fingerprint = w.fingerprint(body)
	var err error
	switch {
	case r.idBody:
		doc.ID = hook.DigestID(doc.Fingerprint)
	case len(r.ids) > 0:
		if doc.ID, err = w.eventID(); err != nil {
			return Document{}, err
		}
	}
	if w.timestamp != "" {
		doc.Timestamp, err = time.Parse(time.RFC3339Nano, w.timestamp)
		doc.HasTimestamp = err == nil
	}
	if r.contract.schema != nil {
		doc.Violations = r.contract.check(w.root)
	}
	return doc, nil
}

// walk is one reading of a body, in a single pass over its tokens.
type walk struct {
	reader  *Reader
	buffer  *bytes.Buffer
	decoder *jsontext.Decoder
	nodes   int

	ids       []found
	cut       [][2]int64 // where volatile values are
	timestamp string
	root      any
}

// found is the value at a pointer of the event ID.
type found struct {
	there bool
	kind  jsontext.Kind
	text  string
}

func (w *walk) run(r *Reader, body []byte) error {
	w.reader, w.nodes, w.cut, w.timestamp = r, 0, w.cut[:0], ""
	w.ids = slices.Grow(w.ids[:0], len(r.ids))[:len(r.ids)]
	clear(w.ids)
	*w.buffer = *bytes.NewBuffer(body)
	defer func() { *w.buffer = bytes.Buffer{} }()
	w.decoder.Reset(w.buffer) // its defaults are RFC 7493: UTF-8, and each name once

	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return invalid(0, "the body is empty")
	}
	if w.decoder.PeekKind() != '{' {
		if _, err := w.decoder.ReadToken(); err != nil {
			return w.syntax(err)
		}
		return invalid(0, "the body is not an object")
	}
	var err error
	if w.root, err = w.value(r.tree, 0); err != nil {
		return err
	}
	if _, err := w.decoder.ReadToken(); err != io.EOF {
		return invalid(w.decoder.InputOffset(), "something stands behind the object")
	}
	return nil
}

func invalid(offset int64, why string) error {
	return &hook.Error{Code: hook.CodeInvalidJSON, Detail: fmt.Sprintf("%s, at byte %d", why, offset)}
}

// syntax says what the decoder found, without the text that it quotes.
func (w *walk) syntax(err error) error {
	why, offset := "the JSON is malformed", w.decoder.InputOffset()
	if se, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset = se.ByteOffset
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			why = "a name stands twice in one object"
		case errors.Is(err, io.ErrUnexpectedEOF):
			why = "the body breaks off"
		case strings.Contains(err.Error(), "UTF-8"):
			why = "the body is not UTF-8"
		}
	} else if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		why = "the body breaks off"
	}
	return invalid(offset, why)
}

// value reads a value and, where there is a schema, builds it. n is its place
// in the tree of pointers, nil where nothing is looked for.
func (w *walk) value(n *node, depth int) (any, error) {
	if w.nodes++; w.nodes > MaxNodes {
		return nil, invalid(w.decoder.InputOffset(), fmt.Sprintf("the body has more than %d values", MaxNodes))
	}
	kind := w.decoder.PeekKind()
	if (kind == '{' || kind == '[') && depth == MaxDepth {
		return nil, invalid(w.decoder.InputOffset(), fmt.Sprintf("the body is nested deeper than %d", MaxDepth))
	}
	before := w.decoder.InputOffset()
	token, err := w.decoder.ReadToken()
	if err != nil {
		return nil, w.syntax(err)
	}
	var v any
	var text string
	build := w.reader.contract.schema != nil
	switch kind {
	case '{':
		v, err = w.object(n, depth, build)
	case '[':
		v, err = w.array(depth, build)
	case '"':
		if build || n != nil {
			text = token.String()
			v = text
		}
	case '0':
		number := token.String()
		if len(number) > MaxNumber {
			return nil, invalid(before, fmt.Sprintf("a number has more than %d characters", MaxNumber))
		}
		v = json.Number(number)
	case 't', 'f':
		v = kind == 't'
	}
	if err != nil {
		return nil, err
	}
	if n != nil {
		w.note(n, kind, text, before, w.decoder.InputOffset())
	}
	return v, nil
}

func (w *walk) object(n *node, depth int, build bool) (any, error) {
	var object map[string]any
	if build {
		object = make(map[string]any)
	}
	for members := 0; ; members++ {
		if w.decoder.PeekKind() == '}' {
			_, err := w.decoder.ReadToken()
			return object, err
		}
		if members == MaxMembers {
			return nil, invalid(w.decoder.InputOffset(), fmt.Sprintf("an object has more than %d members", MaxMembers))
		}
		token, err := w.decoder.ReadToken()
		if err != nil {
			return nil, w.syntax(err)
		}
		var (
			name  string
			child *node
		)
		if build || n != nil {
			name = token.String()
		}
		if n != nil {
			child = n.children[name]
		}
		v, err := w.value(child, depth+1)
		if err != nil {
			return nil, err
		}
		if build {
			object[name] = v
		}
	}
}

func (w *walk) array(depth int, build bool) (any, error) {
	var array []any
	for members := 0; ; members++ {
		if w.decoder.PeekKind() == ']' {
			_, err := w.decoder.ReadToken()
			return array, err
		}
		if members == MaxMembers {
			return nil, invalid(w.decoder.InputOffset(), fmt.Sprintf("an array has more than %d elements", MaxMembers))
		}
		v, err := w.value(nil, depth+1)
		if err != nil {
			return nil, err
		}
		if build {
			array = append(array, v)
		}
	}
}

// note keeps what was looked for.
func (w *walk) note(n *node, kind jsontext.Kind, text string, from, to int64) {
	for _, i := range n.targets {
		switch t := w.reader.targets[i]; t.kind {
		case targetID:
			w.ids[t.id] = found{there: true, kind: kind, text: text}
		case targetVolatile:
			w.cut = append(w.cut, [2]int64{from, to})
		case targetTimestamp:
			w.timestamp = text
		}
	}
}

// fingerprint hashes the body less its volatile values.
func (w *walk) fingerprint(body []byte) hook.Fingerprint {
	if len(w.cut) == 0 {
		return sha256.Sum256(body)
	}
	h := sha256.New()
	at := int64(0)
	for _, c := range w.cut { // in the order of the body
		if c[0] < at { // inside one that is left out already
			continue
		}
		h.Write(body[at:c[0]])
		at = c[1]
	}
	h.Write(body[at:])
	var fp hook.Fingerprint
	h.Sum(fp[:0])
	return fp
}
