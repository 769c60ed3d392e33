package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	// one and it is a string in the form of RFC 3339.
	Timestamp    time.Time
	HasTimestamp bool

	// Violations are the ways in which the body does not meet the contract,
	// sorted by pointer, at most 20. A pointer has a star for a name that the
	// contract does not know.
	Violations []hook.Violation
}

// Reader reads bodies. It may be used by many goroutines at once.
type Reader struct {
	contract *Contract
	ids      []pointer // of the event ID
	bodyID   bool
	tree     node
	walks    sync.Pool
}

// NewReader returns a Reader. It fails where a pointer is malformed, or where
// the options contradict each other or the contract.
func NewReader(opts Options) (*Reader, error) {
	c := opts.Contract
	if c == nil {
		c = None()
	}
	m := &c.manifest
	where := EventID{Pointers: m.EventID}
	if opts.EventID != nil {
		where = *opts.EventID
	}
	if where.Body && len(where.Pointers) > 0 {
		return nil, errors.New("contract: the event ID is in members of the body or the digest of all of it, not both")
	}
	ids, err := parsePointers(where.Pointers)
	if err != nil {
		return nil, fmt.Errorf("contract: event ID: %w", err)
	}
	r := &Reader{contract: c, ids: ids, bodyID: where.Body}
	for i, p := range ids {
		r.tree.add(p, target{kind: targetID, id: i})
	}
	if err := r.addManifest(m); err != nil {
		return nil, fmt.Errorf("contract %s: %w", c.ID(), err)
	}
	r.walks.New = func() any { return newWalk(r) }
	return r, nil
}

func (r *Reader) addManifest(m *manifest) error {
	volatile, err := parsePointers(m.Volatile)
	if err != nil {
		return err
	}
	for _, p := range volatile {
		id := overlapping(p, r.ids)
		if slices.Equal(id, p) {
			continue // events with different IDs must have different fingerprints
		}
		if id != nil {
			return fmt.Errorf("the event ID %s and the volatile member %s hold one another", id, p)
		}
		r.tree.add(p, target{kind: targetVolatile})
	}
	if m.Timestamp != nil {
		p, err := parsePointer(*m.Timestamp)
		if err != nil {
			return err
		}
		r.tree.add(p, target{kind: targetTimestamp})
	}
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
	case len(r.ids) > 0:
		if doc.ID, err = r.eventID(w.ids); err != nil {
			return Document{}, err
		}
		if w.text != "" {
			doc.ID = strings.Clone(doc.ID) // not a part of all the text
		}
	}
	doc.Timestamp, doc.HasTimestamp = parseTime(w.timestamp)
	if r.contract.schema != nil {
		doc.Violations = r.contract.violations(root)
	}
	return doc, nil
}
