// Package consumer processes the events of a queue: each once, with patience
// for a downstream that is not well, and with a dead letter at the end for what
// cannot be processed.
//
// A Consumer takes an event from its Source, claims it in the inbox, lets the
// Handler process it, commits the claim, and removes the event from the queue,
// in this order: a crash between two steps costs one more look at the event and
// never the event. A copy of an event that was processed before is dropped.
//
// What a Handler returns decides what becomes of the event:
//
//	nil                             it is processed
//	*hook.Fault, permanent/invalid  a dead letter, at once
//	*hook.Fault, conflict           the same
//	any other error, a panic        it is tried again after the next of Options.Retry,
//	                                and is a dead letter after the last
//
// The text of an error is kept with the dead letter and is logged, so it must
// not hold personal data. That of a panic is neither, unless it is the
// runtime's.
//
// When several events in a row fail, and not one succeeds between them, it is
// the downstream that is down and not the events that are bad: then nothing is
// fetched, what is held goes back without counting an attempt, and one event at
// a time is tried until one succeeds.
//
// Effects are exactly once with a Handler that is a hook.Once, or with one whose
// downstream takes an event ID once. With any other they are at least once: a
// crash between the effect and its record repeats the effect.
package consumer
