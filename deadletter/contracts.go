package deadletter

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/hook"
)

// Contracts are those of today. The zero value knows the built-in ones, in
// their latest version. It may be used by many goroutines.
type Contracts struct {
	mu    sync.Mutex
	known map[string]*reader // by name
}

type reader struct {
	*contract.Reader
	id  string
	err error // the contract cannot be used
}

// Add adds a contract, or takes it instead of the one of the same name.
func (c *Contracts) Add(own *contract.Contract) error {
	r := newReader(own)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]*reader)
	}
	c.known[own.Name()] = r
	return r.err
}

// newReader returns a reader that looks for no event ID, which may be elsewhere
// than in the body: a letter has one.
func newReader(c *contract.Contract) *reader {
	r, err := contract.NewReader(contract.Options{Contract: c, EventID: new(contract.EventID)})
	return &reader{Reader: r, id: c.ID(), err: err}
}

// of returns the contract of today for an event. One that was read without a
// contract is held against nothing but strict JSON.
func (c *Contracts) of(ev *hook.Event) (*reader, error) {
	name, _, _ := strings.Cut(ev.Contract, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.known[name]
	if r == nil {
		own := contract.None()
		if name != "" {
			var err error
			if own, err = contract.Builtin(name); err != nil {
				return nil, &contractError{printableName(name)}
			}
		}
		r = newReader(own)
		if c.known == nil {
			c.known = make(map[string]*reader)
		}
		c.known[name] = r
	}
	return r, r.err
}

// contractError is an error: nobody here knows a contract.
type contractError struct{ name string }

func (e *contractError) Error() string {
	return fmt.Sprintf("its contract %s is not built in, and was not given", e.name)
}

// printableName is a contract's name, or, for another program's message, a word
// for what is not one.
func printableName(name string) string {
	if hook.ValidName(name) {
		return name
	}
	return "(no name)"
}

// InvalidError says that a body does not meet its contract.
type InvalidError struct {
	Contract   string // name and version, "" for none
	Violations []hook.Violation
	Err        error // it is not what the edge takes for JSON
}

// Error implements error.
func (e *InvalidError) Error() string {
	if e.Err != nil {
		if he, ok := errors.AsType[*hook.Error](e.Err); ok {
			return he.Detail
		}
		return e.Err.Error()
	}
	return fmt.Sprintf("does not meet %s: %s", e.Contract, places(e.Violations))
}

// Unwrap returns the cause.
func (e *InvalidError) Unwrap() error { return e.Err }

// check holds a body against a contract.
func (r *reader) check(body []byte) (contract.Document, error) {
	doc, err := r.Read(body)
	switch {
	case err != nil:
		return doc, &InvalidError{Contract: r.id, Err: err}
	case len(doc.Violations) > 0:
		return doc, &InvalidError{Contract: r.id, Violations: doc.Violations}
	}
	return doc, nil
}

// admit returns nil where a letter may be sent again, or why not. One that did
// not meet its contract is held against today's, which the event then has, and
// with it the repairs that today's contract makes. The fingerprint stays that
// of the body as it was received.
func (c *Contracts) admit(l *hook.DeadLetter, ev *hook.Event) error {
	if l.Fault.Kind != hook.KindInvalid || ev.Contract == "" {
		return nil
	}
	r, err := c.of(ev)
	if err != nil {
		return err
	}
	doc, err := r.check(ev.Body)
	if err != nil {
		return fmt.Errorf("still invalid: %w", err)
	}
	ev.Contract = r.id
	repair(ev, &doc)
	return nil
}

// repair gives an event the body that its contract has, and says what drifted.
func repair(ev *hook.Event, doc *contract.Document) {
	delete(ev.Header, hook.HeaderDrift)
	if doc.Repaired != nil {
		ev.Body = doc.Repaired
	}
	if len(doc.Drift) == 0 {
		return
	}
	if ev.Header == nil {
		ev.Header = make(map[string]string, 1)
	}
	ev.Header[hook.HeaderDrift] = hook.DriftHeader(doc.Drift)
}
