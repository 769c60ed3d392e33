package consumer

// Result is what became of an event that was taken from the queue. Results are
// metric labels: the set is closed.
type Result string

// The results.
const (
	Processed Result = "processed" // the effect is there now
	Duplicate Result = "duplicate" // it was there before: an inbox hit

	Retry     Result = "retry"     // failed, and will be tried again
	Permanent Result = "permanent" // a dead letter: it would fail each time
	Invalid   Result = "invalid"   // a dead letter: it does not meet its contract
	Conflict  Result = "conflict"  // a dead letter: another body was processed under its ID
	Exhausted Result = "exhausted" // a dead letter: it failed too often

	InFlight         Result = "in_flight"         // another consumer is at it; handed back
	Outage           Result = "outage"            // the downstream is down; handed back
	InboxUnavailable Result = "inbox_unavailable" // nobody can tell whether it was processed; handed back
	Stopped          Result = "stopped"           // the consumer stops; handed back
)

// results returns all of them.
func results() []Result {
	return []Result{
		Processed, Duplicate, Retry, Permanent, Invalid, Conflict, Exhausted,
		InFlight, Outage, InboxUnavailable, Stopped,
	}
}
