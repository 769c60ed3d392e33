// Package rabbitmq keeps accepted events in RabbitMQ 3.10 or newer: a hook.Queue
// over publisher confirms (https://www.rabbitmq.com/docs/confirms).
//
// A Queue has some connections, each under a supervisor (link) that dials for
// ever, and on each connection some channels (lane). A lane has one goroutine
// that writes; requests hand it their messages and wait for the confirmation
// no longer than their own time allows. What was not written is known to be
// nowhere. What was written and not confirmed is in doubt, and its late
// confirmation still counts.
//
// The library's own ways are used as far as they can be bounded: its writes
// ignore contexts, so every write to the socket has a deadline (conn), and its
// recovery gives up after half a minute, so it is not used.
package rabbitmq
