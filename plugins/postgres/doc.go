// Package postgres writes events into a table of PostgreSQL 12 or newer, each
// exactly once: a hook.Handler that keeps its own inbox.
//
// An event and the record that it was processed are one transaction. Of two
// deliveries of an event one writes both, and the other finds the record,
// whichever of them crashes, and wherever. A commit whose answer was lost is a
// transient fault: the next attempt finds the record, or there is none.
//
// The table has at least these columns, and hookgate_inbox is in the same
// schema. deploy/postgres/schema.sql makes both, and a role that may do no more
// than is needed.
//
//	event_id    text         the idempotency key
//	hook        text         the name of the hook that took it
//	received_at timestamptz  when the edge got it, null where nobody knows
//	body        jsonb        the body, which must be JSON
//	fingerprint bytea        tells this body from another under the same ID
//	replay      int          how often it was sent again from the dead letters
//	attempt     int          failed attempts before this one
//
// What the database says decides:
//
//	SQLSTATE 22..., 23...  the event is bad, or breaks a constraint: a permanent
//	                       fault, with the SQLSTATE and the constraint's name
//	anything else, none    the database is not well, or set up wrongly: a
//	                       transient fault
//
// No message of the database is logged or kept, as it may quote the event.
//
// Connections say in their first message how long a statement may take. A pooler
// between must keep a session for each, or know these settings.
package postgres
