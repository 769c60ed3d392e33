package contract

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookgate/hookgate/hook"
)

// fill is a member that is put where it is absent: with the value that it has
// under another name, or null.
type fill struct {
	slot int // of its object
	name string
	text string // a comma, the name in JSON, and a colon
	node *node
	from []int // its other names
	null bool
}

// slot is an object of a body that something may be put in.
type slot struct {
	there   bool
	members int
	end     int64          // behind its last member
	object  map[string]any // where a tree is built
}

// moved is a member under another name.
type moved struct {
	looked
	at span
}

// splice is a part of a body, and what is to stand there.
type splice struct {
	at   span
	name string // of a member that is put in, and its colon
	text string
}

// addFills prepares what a manifest says of absent members.
func (r *Reader) addFills(m *manifest) {
	known := make(map[string]int) // fills by the pointer of the member
	of := func(p pointer) *fill {
		if i, ok := known[p.String()]; ok {
			return &r.fills[i]
		}
		parent := r.tree.at(p[:len(p)-1])
		if parent.slot == 0 {
			r.slots++
			parent.slot = r.slots
		}
		name := p[len(p)-1]
		quoted, _ := jsontext.AppendQuote(nil, name) // a pointer is UTF-8
		known[p.String()] = len(r.fills)
		n := r.tree.at(p)
		r.fills = append(r.fills, fill{slot: parent.slot - 1, name: name, text: "," + string(quoted) + ":", node: n})
		n.fill = len(r.fills)
		return &r.fills[len(r.fills)-1]
	}
	for _, a := range m.aliases {
		f := of(a.of)
		for _, p := range a.from {
			n := r.tree.at(p)
			r.aliases++
			n.alias = r.aliases
			f.from = append(f.from, r.aliases-1)
			if slices.ContainsFunc(f.node.targets, func(t target) bool { return t.kind == targetVolatile }) {
				n.targets = append(n.targets, target{kind: targetVolatile})
			}
		}
	}
	for _, p := range m.nulls {
		of(p).null = true
	}
}

// fill notes what is absent, and where it goes in the body.
func (w *walk) fill() {
	for i := range w.reader.fills {
		f := &w.reader.fills[i]
		there := w.present[i]
		if there && len(f.from) == 0 {
			continue // which is so of nearly all
		}
		s := &w.slots[f.slot]
		if !s.there {
			continue
		}
		var (
			other *moved
			names int
		)
		for _, alias := range f.from {
			if m := &w.moved[alias]; m.kind != 0 {
				other = m
				names++
			}
		}
		switch {
		case there && names == 0:
		case there || names > 1:
			w.report(f.node.path, hook.DriftBothNames)
		case s.members >= MaxMembers || w.nodes >= MaxNodes:
			// No reader of the repaired body would take it.
		case names == 1:
			w.report(f.node.path, hook.DriftRenamed)
			w.move(f, s, other)
		case f.null:
			w.report(f.node.path, hook.DriftAbsentNull)
			w.insert(f, s, looked{found: found{kind: 'n'}, raw: "null"})
		}
	}
}

// move puts a member that has another name also where it belongs. What it was
// called stays: somebody may read it there.
func (w *walk) move(f *fill, s *slot, m *moved) {
	l := m.looked
	if l.kind == '"' && f.node.looks {
		l = w.look(f.node, l.text, m.at)
	}
	if l.raw == "" {
		l.raw = string(w.body[m.at.from:m.at.to])
	}
	w.insert(f, s, l)
	for _, t := range f.node.targets {
		if t.kind != targetVolatile { // the place in the body is noted already
			w.noteTarget(t, l.found, m.at)
		}
	}
}

// insert puts a member into an object. Its value stands elsewhere in the body,
// or nowhere.
func (w *walk) insert(f *fill, s *slot, l looked) {
	w.check(f.node, l.kind, l.text)
	if f.node.required {
		w.lacking--
	}
	if w.builds {
		s.object[f.name] = tree(l.found)
	}
	name := f.text
	if s.members == 0 {
		name = name[len(","):]
	}
	s.members++
	w.nodes++
	w.splices = append(w.splices, splice{span{s.end, s.end}, name, l.raw})
}

// repaired returns the body with all splices, nil where there are none.
func (w *walk) repaired() []byte {
	if len(w.splices) == 0 {
		return nil
	}
	slices.SortStableFunc(w.splices, func(a, b splice) int { return cmp.Compare(a.at.from, b.at.from) })
	size := len(w.body)
	for _, s := range w.splices {
		size += len(s.name) + len(s.text)
	}
	body := make([]byte, 0, size)
	from := int64(0)
	for _, s := range w.splices {
		body = append(body, w.body[from:s.at.from]...)
		body = append(body, s.name...)
		body = append(body, s.text...)
		from = s.at.to
	}
	return append(body, w.body[from:]...)
}
