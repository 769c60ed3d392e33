package redis

import (
	"errors"
	"sync/atomic"
)

var errNoAnswerYet = errors.New("redis has not answered yet")

// health is what the last operations say about the server. It decides nothing:
// every claim is tried all the same.
type health struct {
	err  atomic.Pointer[error] // nil when it is well
	used atomic.Bool           // it was well since the last tick
}

func (h *health) get() error {
	if err := h.err.Load(); err != nil {
		return *err
	}
	return nil
}

// ok and fail are called for each operation: they write only what changes, so
// that processors do not take the memory from each other.
func (h *health) ok() {
	if h.err.Load() != nil {
		h.err.Store(nil)
	}
	if !h.used.Load() {
		h.used.Store(true)
	}
}

func (h *health) fail(err error) { h.err.Store(&err) }

// note takes an outcome. What is the fault of a key says nothing of the server.
func (h *health) note(err error) {
	switch {
	case err == nil, errors.Is(err, ErrForeign):
		h.ok()
	case !errors.Is(err, ErrClosed):
		h.fail(err)
	}
}
