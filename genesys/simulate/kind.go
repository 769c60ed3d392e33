package simulate

// Kind says what was sent.
type Kind string

// The kinds, in the order of the report.
const (
	Good      Kind = "good"      // an event as it should be
	Retry     Kind = "retry"     // the same bytes again, because there was no answer in time, or one that asks for it
	Duplicate Kind = "duplicate" // the same bytes again, after the first copy was answered
	InFlight  Kind = "in_flight" // the same bytes at the same time as the first copy
	Malformed Kind = "malformed" // not an event: broken JSON, bad UTF-8, wrong types
	Oversized Kind = "oversized" // an event larger than the receiver takes
	Slow      Kind = "slow"      // an event whose body takes longer than the deadline
)

// kinds returns every kind in the order of the report.
func kinds() []Kind {
	return []Kind{Good, Retry, Duplicate, InFlight, Malformed, Oversized, Slow}
}
