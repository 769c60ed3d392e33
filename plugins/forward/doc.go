// Package forward sends events to an existing HTTP service: a hook.Handler.
//
// An event is a POST of its body as it is, with
//
//	Content-Type            the event's
//	Idempotency-Key         the event ID. One that is not printable ASCII is sent
//	                        as sha256: and its SHA-256 in hexadecimal
//	X-Hookgate-Hook         the name of the hook
//	X-Hookgate-Received-At  when the edge got it, RFC 3339 in UTC
//	X-Hookgate-Attempt      which attempt this is, from 1 on
//	X-Hookgate-Replay       how often it was sent again from the dead letters
//	X-Hookgate-Fingerprint  tells this body from another under the same ID
//	traceparent, tracestate the span in the context, or that of the request at the
//	                        edge
//
// A service that takes each Idempotency-Key once, a replay included, has each
// effect once. Any other may see an event more than once: after an answer that
// was lost, or a crash.
//
// What the service answers decides:
//
//	2xx                      the event is processed
//	400, 410, 413, 415, 422  the event is bad: a permanent fault
//	anything else, none      the service is not well: a transient fault, with the
//	                         Retry-After of the answer
//
// Redirects are not followed: they are configured wrongly, and a POST would
// become a GET. An answer is read up to 64 KiB and dropped; what it says is
// neither logged nor kept, as it may quote the event.
package forward
