package consumer

import (
	"slices"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// verdict is what is done with an event.
type verdict struct {
	do     action
	after  time.Duration // for later
	fault  *hook.Fault   // for dead; for later where the attempt counts
	result Result
}

type action uint8

const (
	done action = iota + 1
	later
	dead
	giveBack
)

// String returns the action as in a label.
func (a action) String() string {
	return [...]string{done: "done", later: "later", dead: "dead", giveBack: "return"}[a]
}

// judge returns what is done with an event after an attempt. first is when it
// failed for the first time, where that is known; outage says that the
// downstream counts as down.
func judge(o outcome, ev *hook.Event, retry []time.Duration, outage bool, first, now time.Time) verdict {
	switch o.what {
	case processed, unrecorded:
		// Without a record it is done all the same: another look at it would
		// surely repeat the effect, a copy of it perhaps never comes.
		return verdict{do: done, result: Processed}
	case duplicate:
		return verdict{do: done, result: Duplicate}
	case conflicting:
		f := completeFault(hook.Fault{Kind: hook.KindConflict, Message: "another body was processed under this event ID before"}, ev, first, now)
		return verdict{do: dead, fault: &f, result: Conflict}
	case inFlight:
		return verdict{do: later, after: retry[0], result: InFlight}
	case noInbox:
		return verdict{do: giveBack, result: InboxUnavailable}
	case stopped:
		return verdict{do: giveBack, result: Stopped}
	}
	f := completeFault(*o.fault, ev, first, now)
	switch {
	case f.Kind == hook.KindPermanent:
		return verdict{do: dead, fault: &f, result: Permanent}
	case f.Kind == hook.KindInvalid:
		return verdict{do: dead, fault: &f, result: Invalid}
	case f.Kind == hook.KindConflict:
		return verdict{do: dead, fault: &f, result: Conflict}
	case outage:
		return verdict{do: later, after: retry[0], result: Outage}
	case ev.Attempt >= len(retry):
		f.Kind = hook.KindExhausted
		return verdict{do: dead, fault: &f, result: Exhausted}
	}
	return verdict{do: later, after: tier(retry, max(ev.Attempt, 0), f.RetryAfter), fault: &f, result: Retry}
}

// tier returns the next tier, or the shortest that is as long as the downstream
// asks for, or the longest.
func tier(retry []time.Duration, attempt int, retryAfter time.Duration) time.Duration {
	longEnough := slices.IndexFunc(retry[attempt:], func(d time.Duration) bool { return d >= retryAfter })
	if longEnough < 0 {
		return retry[len(retry)-1]
	}
	return retry[attempt+longEnough]
}
