package contract

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// The limits on a body. What is beyond them is not taken for JSON, as RFC 8259,
// section 9 allows.
const (
	MaxDepth   = 32     // objects and arrays within each other, the outermost included
	MaxMembers = 1000   // members of one object, or elements of one array
	MaxNodes   = 10_000 // values in all, the outermost object included
	MaxNumber  = 64     // characters of one number
)

// whiteSpace is that of RFC 8259, section 2.
const whiteSpace = " \t\r\n"

// walk is one reading of a body, in a single pass over its tokens; in a second
// one where only the schema can say whether the body meets it, see read. It is
// used again for the next body.
type walk struct {
	reader  *Reader
	buffer  *bytes.Buffer
	decoder *jsontext.Decoder // with its defaults, RFC 7493: UTF-8, each name once

	body   []byte
	builds bool   // it makes a tree of the body, for the schema
	text   string // the body again, where it does: the strings of the tree are parts of this one
	nodes  int

	ids        []found // by place of event IDs
	volatile   []span  // in the order of the body, none within another
	timestamps []found

	unsure  bool // the quick form of the schema does not say that it is met
	lacking int  // how many members are absent that the quick form requires
	slots   []slot
	present []bool  // by fill
	moved   []moved // by alias
	splices []splice
	drift   []hook.Drift
}

// span is a part of a body, in bytes.
type span struct{ from, to int64 }

func newWalk(r *Reader) *walk {
	buffer := new(bytes.Buffer)
	return &walk{
		reader:     r,
		buffer:     buffer,
		decoder:    jsontext.NewDecoder(buffer),
		ids:        make([]found, len(r.places)),
		timestamps: make([]found, len(r.timestamps)),
		slots:      make([]slot, r.slots),
		present:    make([]bool, len(r.fills)),
		moved:      make([]moved, r.aliases),
	}
}

// release forgets the body.
func (w *walk) release() {
	*w.buffer = bytes.Buffer{}
	w.decoder.Reset(w.buffer)
	w.body, w.builds, w.text, w.nodes = nil, false, "", 0
	w.unsure, w.lacking = false, 0
	clear(w.ids)
	clear(w.timestamps)
	clear(w.slots)
	clear(w.present)
	clear(w.moved)
	clear(w.splices)
	w.volatile, w.splices, w.drift = w.volatile[:0], w.splices[:0], w.drift[:0]
}

// read reads a whole body. Where the schema must be asked whether the body
// meets it, a tree is built, and returned. Nearly no body needs that: it has met
// the quick form of the schema on the way. Only one that has not is read again.
func (w *walk) read(body []byte) (any, error) {
	if err := checkText(body); err != nil {
		return nil, err
	}
	c := w.reader.contract
	root, err := w.pass(body, c.schema != nil && c.quick == nil)
	if err != nil || w.builds || !w.unsure {
		return root, err
	}
	w.release()
	return w.pass(body, true)
}

// pass reads a whole body once.
func (w *walk) pass(body []byte, builds bool) (any, error) {
	w.body, w.builds = body, builds
	if builds {
		w.text = string(body)
	}
	*w.buffer = *bytes.NewBuffer(body) // the decoder reads in place, and writes nothing
	if kind := w.decoder.PeekKind(); kind != '{' {
		if _, err := w.decoder.ReadToken(); err != nil {
			return nil, w.syntaxError(err)
		}
		return nil, invalid(0, "the body is not an object")
	}
	root, err := w.value(&w.reader.tree, 1)
	if err != nil {
		return nil, err
	}
	end := w.decoder.InputOffset()
	if rest := bytes.TrimLeft(body[end:], whiteSpace); len(rest) > 0 {
		return nil, invalid(int64(len(body)-len(rest)), "something stands behind the object")
	}
	w.fill()
	w.unsure = w.unsure || w.lacking > 0
	return root, nil
}

// next returns where the next token begins.
func (w *walk) next() int64 {
	rest := w.body[w.decoder.InputOffset():]
	return int64(len(w.body) - len(bytes.TrimLeft(rest, whiteSpace+",:")))
}

// value reads a value. n is its place in the tree of pointers, nil where
// nothing is looked for. depth is how deep it is, if it is an object or array.
func (w *walk) value(n *node, depth int) (any, error) {
	if w.nodes++; w.nodes > MaxNodes {
		return nil, invalid(w.next(), "the body has more than %d values", MaxNodes)
	}
	kind := w.decoder.PeekKind()
	if kind != '{' && kind != '[' {
		return w.scalar(n)
	}
	if depth > MaxDepth {
		return nil, invalid(w.next(), "the body is nested more than %d deep", MaxDepth)
	}
	if _, err := w.decoder.ReadToken(); err != nil {
		return nil, w.syntaxError(err)
	}
	if n != nil {
		w.check(n, kind, nil)
	}
	from := w.decoder.InputOffset() - 1
	var (
		v   any
		err error
	)
	if kind == '{' {
		v, err = w.object(n, depth)
	} else {
		v, err = w.array(n, depth)
	}
	if err == nil && n != nil {
		w.note(n, found{kind: kind}, span{from, w.decoder.InputOffset()})
	}
	return v, err
}

// object reads what follows a brace.
func (w *walk) object(n *node, depth int) (any, error) {
	var object map[string]any
	if w.builds {
		object = make(map[string]any, w.sizeHint(depth))
	}
	end, members, required := w.decoder.InputOffset(), 0, 0
	for ; w.decoder.PeekKind() != '}'; members++ {
		if members == MaxMembers {
			return nil, invalid(w.next(), "an object has more than %d members", MaxMembers)
		}
		name, child, err := w.name(n)
		if err != nil {
			return nil, err
		}
		v, err := w.value(child, depth+1)
		if err != nil {
			return nil, err
		}
		if w.builds {
			object[name] = v
		}
		if child != nil {
			if child.fill > 0 {
				w.present[child.fill-1] = true
			}
			if child.required {
				required++
			}
		}
		end = w.decoder.InputOffset()
	}
	if n != nil {
		w.lacking += n.requires - required
		if n.slot > 0 {
			w.slots[n.slot-1] = slot{there: true, members: members, end: end, object: object}
		}
	}
	return object, w.end()
}

// sizeHint is how many members an object will have. Of the outermost one the
// schema knows it, more or less.
func (w *walk) sizeHint(depth int) int {
	if depth > 1 {
		return 0
	}
	return len(w.reader.contract.schema.Properties)
}

// array reads what follows a bracket. Its elements have one place together.
func (w *walk) array(n *node, depth int) (any, error) {
	var (
		array []any
		child *node
	)
	if n != nil {
		child = n.elements
	}
	for elements := 0; w.decoder.PeekKind() != ']'; elements++ {
		if elements == MaxMembers {
			return nil, invalid(w.next(), "an array has more than %d elements", MaxMembers)
		}
		v, err := w.value(child, depth+1)
		if err != nil {
			return nil, err
		}
		if w.builds {
			array = append(array, v)
		}
	}
	return array, w.end()
}

// end reads a closing brace or bracket.
func (w *walk) end() error {
	if _, err := w.decoder.ReadToken(); err != nil {
		return w.syntaxError(err)
	}
	return nil
}

// check holds a value against the quick form of the schema.
func (w *walk) check(n *node, kind jsontext.Kind, text []byte) {
	if n.check != nil && !n.check.meets(kind, text) {
		w.unsure = true
	}
}

// note keeps what was looked for at a place.
func (w *walk) note(n *node, f found, at span) {
	for _, t := range n.targets {
		w.noteTarget(t, f, at)
	}
}

func (w *walk) noteTarget(t target, f found, at span) {
	switch t.kind {
	case targetID:
		w.ids[t.id] = f
	case targetVolatile:
		w.volatile = append(w.volatile, at)
	case targetTimestamp:
		w.timestamps[t.id] = f
	}
}
