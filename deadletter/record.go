package deadletter

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/hookgate/hookgate/hook"
)

// Record is a letter in JSON.
type Record struct {
	ID            string           `json:"id"` // of the letter
	Hook          string           `json:"hook"`
	Kind          hook.Kind        `json:"kind"`
	Message       string           `json:"message"` // with the first violations
	Status        int              `json:"status,omitempty"`
	Violations    []hook.Violation `json:"violations,omitempty"`
	Attempts      int              `json:"attempts"`
	Replay        int              `json:"replay"` // how often it was sent again before
	FailedAt      time.Time        `json:"failed_at,omitzero"`
	FirstFailedAt time.Time        `json:"first_failed_at,omitzero"`
	ReceivedAt    time.Time        `json:"received_at,omitzero"`
	EventDigest   string           `json:"event_digest"` // of the event ID, as in the logs
	Contract      string           `json:"contract,omitempty"`
	ContentType   string           `json:"content_type,omitempty"`
	Size          int              `json:"size"` // of the body, in bytes
	Fingerprint   string           `json:"fingerprint"`
	Exchange      string           `json:"origin_exchange,omitempty"`
	RoutingKey    string           `json:"origin_routing_key,omitempty"`
	Queue         string           `json:"queue,omitempty"`
	Task          string           `json:"task,omitempty"`
	Replaces      string           `json:"replaces,omitempty"` // the letter that it is an edit of
	Traceparent   string           `json:"traceparent,omitempty"`

	// Personal data: only where it was asked for. The body is text, byte for
	// byte, or base64 where it is not UTF-8.
	EventID    string  `json:"event_id,omitempty"`
	ClientIP   string  `json:"client_ip,omitempty"`
	Body       *string `json:"body,omitempty"`
	BodyBase64 []byte  `json:"body_base64,omitempty"`

	// The names that older lists of dead letters had. The payload is null
	// without personal data, and where it is not JSON.
	OriginalPayload json.RawMessage `json:"original_payload"`
	ErrorMessage    string          `json:"error_message"`
	StatusCode      *int            `json:"status_code"`
	Timestamp       *time.Time      `json:"timestamp"` // when it failed
	RetryCount      int             `json:"retry_count"`
}

// NewRecord returns the record of a letter, with personal data if values.
func NewRecord(l *hook.DeadLetter, values bool) Record {
	ev, f := l.Event, &l.Fault
	r := Record{
		ID: l.ID, Hook: ev.Hook, Kind: f.Kind, Message: explain(f), Status: f.Status, Violations: f.Violations,
		Attempts: max(f.Attempt, ev.Attempt), Replay: ev.Replay,
		FailedAt: f.Time, FirstFailedAt: f.First, ReceivedAt: ev.ReceivedAt,
		EventDigest: hook.LogID(ev.ID), Contract: ev.Contract, ContentType: ev.ContentType,
		Size: len(ev.Body), Fingerprint: ev.Fingerprint.String(),
		Exchange: l.OriginExchange, RoutingKey: l.OriginKey, Queue: ev.Queue, Task: ev.Task,
		Replaces: ev.Header[hook.HeaderReplaces], Traceparent: ev.Header[hook.HeaderTraceparent],
		ErrorMessage: f.Message, RetryCount: max(f.Attempt, ev.Attempt),
	}
	if f.Status != 0 {
		r.StatusCode = &r.Status
	}
	if !f.Time.IsZero() {
		r.Timestamp = &r.FailedAt
	}
	if values {
		r.addValues(ev)
	}
	return r
}

func (r *Record) addValues(ev *hook.Event) {
	r.EventID = ev.ID
	if ev.ClientIP.IsValid() {
		r.ClientIP = ev.ClientIP.String()
	}
	if !utf8.Valid(ev.Body) { // the library takes it for JSON all the same, and writes it as it is
		r.BodyBase64 = ev.Body
		return
	}
	body := string(ev.Body)
	r.Body = &body
	if json.Valid(ev.Body) {
		r.OriginalPayload = ev.Body
	}
}
