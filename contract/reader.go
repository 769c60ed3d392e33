package contract

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// EventID says where the event ID is, if not where the contract says.
type EventID struct {
	// Pointers are JSON Pointers (RFC 6901) through objects to the parts of
	// the ID. Several are joined by a slash. Default: none, the ID is not in
	// the body.
	Pointers []string

	// Body makes the digest of the fingerprint the ID. It excludes Pointers.
	// Default: false.
	Body bool
}

// Options of a Reader.
type Options struct {
	// Contract that bodies are held against. Default: None.
	Contract *Contract

	// EventID says where the ID is. A member that it names is never left out
	// of the fingerprint. An empty one looks for no ID, for where it is
	// elsewhere in the request; see CheckID. Default: the contract's.
	EventID *EventID
}

// Document is what was read of a body.
type Document struct {
	// ID of the event, as CheckID returns it. "" where nobody said where to
	// look.
	ID string

	// Fingerprint is the SHA-256 of the body as received, less the values of
	// the contract's volatile members.
	Fingerprint hook.Fingerprint

	// Timestamp of the event, where HasTimestamp: where the contract names
	// one and it is a string in the form of RFC 3339, in UTC where it has no
	// zone, or among the contract's numbers the milliseconds since 1970.
	Timestamp    time.Time
	HasTimestamp bool

	// Violations are the ways in which the body does not meet the contract,
	// sorted by pointer, at most 20. A pointer has a star for a name that the
	// contract does not know.
	Violations []hook.Violation

	// Drift is how the body differs from the contract where that is
	// tolerated, sorted by pointer, at most 20.
	Drift []hook.Drift

	// Repaired is the body as the contract has it, where it drifted in a way
	// that can be mended: byte by byte what was read, with what was changed or
	// added. nil where there was nothing to mend, or where there are
	// violations all the same.
	Repaired []byte
}

// Reader reads bodies. It may be used by many goroutines at once.
type Reader struct {
	contract   *Contract
	places     []place // of event IDs
	recipes    []recipe
	bodyID     bool
	timestamps []bool // by timestamp: it is in milliseconds since 1970 where it is a number
	fills      []fill
	slots      int // how many
	aliases    int
	tree       node
	walks      sync.Pool
}

// NewReader returns a Reader. It fails where a pointer is malformed, or where
// the options contradict each other or the contract.
func NewReader(opts Options) (*Reader, error) {
	c := opts.Contract
	if c == nil {
		c = None()
	}
	m := &c.manifest
	ids := m.ids
	r := &Reader{contract: c}
	if where := opts.EventID; where != nil {
		if where.Body && len(where.Pointers) > 0 {
			return nil, errors.New("contract: the event ID is in members of the body or the digest of all of it, not both")
		}
		parts, err := parsePointers(where.Pointers)
		if err != nil {
			return nil, fmt.Errorf("contract: event ID: %w", err)
		}
		ids, r.bodyID = nil, where.Body
		if len(parts) > 0 {
			ids = []alternative{{parts: parts, optional: make([]bool, len(parts))}}
		}
	}
	s := shape{left: maxShape}
	s.describe(&r.tree, c.schema)
	if c.quick != nil {
		c.quick.attach(&r.tree)
	}
	r.addIDs(ids, m.numbers)
	if err := r.addManifest(m, ids); err != nil {
		return nil, fmt.Errorf("contract %s: %w", c.ID(), err)
	}
	r.tree.close()
	r.walks.New = func() any { return newWalk(r) }
	return r, nil
}

// addIDs prepares the ways to make an event ID.
func (r *Reader) addIDs(ids []alternative, numbers []pointer) {
	known := make(map[string]int)
	placeOf := func(p pointer) int {
		i, ok := known[p.String()]
		if !ok {
			i = len(r.places)
			known[p.String()] = i
			r.places = append(r.places, place{pointer: p, number: contains(numbers, p)})
			r.tree.add(p, target{kind: targetID, id: i})
		}
		return i
	}
	for _, a := range ids {
		c := recipe{when: -1, is: a.is, optional: a.optional}
		for _, p := range a.parts {
			c.parts = append(c.parts, placeOf(p))
		}
		if a.when != nil {
			c.when = placeOf(a.when)
		}
		r.recipes = append(r.recipes, c)
	}
}

func (r *Reader) addManifest(m *manifest, ids []alternative) error {
	var parts []pointer
	for _, a := range ids {
		parts = append(parts, a.parts...)
	}
	for _, p := range m.volatile {
		if contains(parts, p) {
			continue // events with different IDs must have different fingerprints
		}
		if id := overlapping(p, parts); id != nil {
			return fmt.Errorf("the event ID %s and the volatile member %s hold one another", id, p)
		}
		r.tree.add(p, target{kind: targetVolatile})
	}
	for i, p := range m.timestamps {
		millis := contains(m.numbers, p)
		r.timestamps = append(r.timestamps, millis)
		r.tree.add(p, target{kind: targetTimestamp, id: i})
		r.tree.at(p).time = !millis
	}
	for _, p := range m.numbers {
		r.tree.each(p).number = true
	}
	for _, v := range m.values {
		n := r.tree.each(v.of)
		n.values = make(map[string]bool, len(v.values))
		for _, value := range v.values {
			n.values[value] = true
		}
	}
	r.addFills(m)
	return nil
}

// Read reads a body: as JSON, then for its event ID, then against the contract.
// Its errors are *hook.Error with the codes invalid_json and missing_event_id.
// A contract that is not met is no error, see Document.Violations. Read does
// not change the body, and keeps nothing of it.
func (r *Reader) Read(body []byte) (Document, error) {
	w := r.walks.Get().(*walk)
	defer func() {
		w.release()
		r.walks.Put(w)
	}()
	root, err := w.read(body)
	if err != nil {
		return Document{}, err
	}
	doc := Document{Fingerprint: fingerprint(body, w.volatile)}
	switch {
	case r.bodyID:
		doc.ID = hook.DigestID(doc.Fingerprint)
	case len(r.recipes) > 0:
		if doc.ID, err = r.eventID(w.ids); err != nil {
			return Document{}, err
		}
	}
	doc.Timestamp, doc.HasTimestamp = r.timestamp(w.timestamps)
	doc.Drift = w.sortedDrift()
	if w.builds {
		doc.Violations = r.contract.violations(root)
	}
	if len(doc.Violations) == 0 {
		doc.Repaired = w.repaired()
	}
	return doc, nil
}

// timestamp reads the first that is there.
func (r *Reader) timestamp(found []found) (time.Time, bool) {
	for i, f := range found {
		switch {
		case f.kind == '"':
			return parseTime(string(f.text))
		case f.kind == '0' && r.timestamps[i]:
			return parseMillis(string(f.text))
		}
	}
	return time.Time{}, false
}
