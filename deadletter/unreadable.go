package deadletter

import "github.com/hookgate/hookgate/hook"

// unreadable reports whether an error of a sweep is about nothing but letters
// that cannot be read: all others were seen.
func unreadable(err error) bool {
	switch e := err.(type) {
	case *hook.Unreadable:
		return true
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if !unreadable(part) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		return unreadable(e.Unwrap())
	}
	return false
}
