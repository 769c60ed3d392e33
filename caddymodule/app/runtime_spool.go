package app

import "github.com/hookgate/hookgate/hook"

// Spool returns what is to be seen of the spool, where there is one.
func (rt *Runtime) Spool() (status SpoolStatus, ok bool) {
	if rt.spool == nil {
		return SpoolStatus{}, false
	}
	return rt.spool.status(), true
}

// Spools reports whether an event may be durable on this node only where that
// is an exception.
func (rt *Runtime) Spools() bool { return rt.spool != nil }

// primary is the queue where events belong.
func (rt *Runtime) primary() hook.Queue {
	if rt.spool != nil {
		return rt.spool.primary
	}
	return rt.Queue
}

// Letters returns the dead letters of the queue, if it has some.
func (rt *Runtime) Letters() (letters hook.DeadLetters, ok bool) {
	letters, ok = rt.primary().(hook.DeadLetters)
	return letters, ok
}
