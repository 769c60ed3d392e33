package consumer

import (
	"slices"
	"time"
)

// streak holds the latest failures with no success between them, one an event:
// an event that fails again and again says nothing about the others.
type streak struct {
	enough int           // different events that make an outage
	window time.Duration // within which they failed

	failures []failure // the oldest first; not more than enough
}

type failure struct {
	event string
	at    time.Time
}

// fail notes a failure, and reports whether it makes an outage.
func (s *streak) fail(event string, now time.Time) bool {
	s.failures = slices.DeleteFunc(s.failures, func(f failure) bool {
		return f.event == event || now.Sub(f.at) > s.window
	})
	s.failures = append(s.failures, failure{event, now})
	if len(s.failures) > s.enough {
		s.failures = s.failures[1:]
	}
	return len(s.failures) >= s.enough
}

// succeed ends the streak.
func (s *streak) succeed() { s.failures = s.failures[:0] }
