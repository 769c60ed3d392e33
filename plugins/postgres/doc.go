// Package postgres uses PostgreSQL 12 or newer in two ways: a Store keeps claims
// in it, for the edge or as an inbox, and a Handler writes events into a table,
// each exactly once.
//
// # The store
//
// A claim is a row of hookgate.claims, which Migrate makes: pending under a
// token and a lease, then committed. A claim is one statement, in one round
// trip, and may be repeated after a lost answer. All times are the server's, so
// that the clocks of several edges do not matter. Rows that have run out are
// deleted in the background.
//
// At the edge a commit that was answered may be lost in a crash of the server
// (synchronous_commit is off): that is a copy more, for the inbox. As an inbox
// itself it must be Durable.
//
// # The handler
//
// A hook.Handler that keeps its own inbox.
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
