package deadletter

import "github.com/hookgate/hookgate/hook"

// Unreadable reports whether an error of a sweep, or of a list, is about nothing
// but letters that cannot be read: all others were seen.
func Unreadable(err error) bool {
	switch e := err.(type) {
	case *hook.Unreadable:
		return true
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if !Unreadable(part) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		return Unreadable(e.Unwrap())
	}
	return false
}
