package accept

import (
	"math/rand/v2"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// place is where an event goes in the primary queue. What one place does to its
// events is no matter to those for another.
type place struct {
	queue  string // by name, "" for the one of all
	celery bool
	dead   bool // the dead letters of all
}

func placeOf(ev *hook.Event, f *hook.Fault) place {
	if f != nil {
		return place{dead: true}
	}
	return place{queue: ev.Queue, celery: ev.Task != ""}
}

// String names it for a person.
func (p place) String() string {
	switch {
	case p.dead:
		return "the dead letters"
	case p.queue == "":
		return "the events"
	}
	return p.queue
}

// backoff draws a wait from zero to a bound that doubles with each failure
// ("full jitter"): edges that lost the same server do not come back at once.
func backoff(failures int, least, most time.Duration) time.Duration {
	bound := most
	if failures < 16 {
		bound = min(least<<failures, most)
	}
	return least/2 + rand.N(bound)
}
