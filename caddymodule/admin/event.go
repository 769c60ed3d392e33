package admin

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/hook"
)

// Queue is the answer of QueuePath.
type Queue struct {
	*Counts        // nil where the queue cannot be asked, and has a spool
	Error   string `json:"error,omitempty"` // why it cannot
	Spool   *Spool `json:"spool,omitempty"` // where there is one
}

// Counts are those of a queue by state.
type Counts struct {
	Ready  int  `json:"ready"`             // waiting to be processed
	Due    *int `json:"due,omitempty"`     // to be tried again at a later time; left out where the queue cannot tell
	InWork *int `json:"in_work,omitempty"` // being processed; left out where the queue cannot tell
	Dead   int  `json:"dead"`              // dead letters
}

// NewQueue returns counts as the API answers them.
func NewQueue(n hook.Counts) Queue {
	c := &Counts{Ready: n.Ready, Dead: n.Dead}
	if n.Tells {
		c.Due, c.InWork = &n.Due, &n.InWork
	}
	return Queue{Counts: c}
}

// Spool is what waits on this node to be forwarded to the queue.
type Spool struct {
	Events        int     `json:"events"`
	DeadLetters   int     `json:"dead_letters"`
	PutOff        int     `json:"put_off,omitempty"` // refused before, and tried again later
	OldestSeconds float64 `json:"oldest_seconds"`    // of the oldest of them
	Bytes         int64   `json:"bytes"`             // of the file
	MaxBytes      int64   `json:"max_bytes"`         // of which 90 % may be used
	Spooled       uint64  `json:"spooled"`           // since the process began, as the next
	Forwarded     uint64  `json:"forwarded"`
	Queue         string  `json:"queue,omitempty"` // why the queue cannot be used now
	Error         string  `json:"error,omitempty"` // why nothing can be spooled now
}

func newSpool(s *app.SpoolStatus) *Spool {
	out := &Spool{
		Events: s.Events, DeadLetters: s.DeadLetters, PutOff: s.PutOff,
		OldestSeconds: s.Oldest.Round(time.Millisecond).Seconds(),
		Bytes:         s.Bytes, MaxBytes: s.MaxBytes, Spooled: s.Spooled, Forwarded: s.Forwarded,
	}
	if s.Primary != nil {
		out.Queue = s.Primary.Error()
	}
	if s.Local != nil {
		out.Error = s.Local.Error()
	}
	return out
}

// Events is the answer of EventsPath.
type Events struct {
	Events []Event `json:"events"`
}

// NewEvents returns entries as the API answers them, with or without their
// bodies.
func NewEvents(entries []hook.Entry, values bool) Events {
	events := Events{Events: make([]Event, len(entries))}
	for i := range entries {
		events.Events[i] = newEvent(&entries[i], values)
	}
	return events
}

// Event is one event in the queue.
type Event struct {
	Seq         uint64          `json:"seq"`
	Hook        string          `json:"hook"`
	EventID     string          `json:"event_id"`
	ReceivedAt  time.Time       `json:"received_at"`
	Contract    string          `json:"contract,omitempty"`
	ContentType string          `json:"content_type,omitempty"`
	RoutingKey  string          `json:"routing_key,omitempty"`
	Size        int             `json:"size"` // of the body, in bytes
	Fingerprint string          `json:"fingerprint"`
	ClientIP    string          `json:"client_ip,omitempty"`
	Traceparent string          `json:"traceparent,omitempty"`
	Unverified  bool            `json:"unverified,omitempty"`
	Drift       string          `json:"drift,omitempty"` // as in the message's header
	Fault       *Fault          `json:"fault,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"` // only with values
}

// Fault is why an event is a dead letter.
type Fault struct {
	Kind       hook.Kind        `json:"kind"`
	Message    string           `json:"message"`
	Time       time.Time        `json:"time"`
	Violations []hook.Violation `json:"violations,omitempty"`
}

func newEvent(e *hook.Entry, values bool) Event {
	ev := e.Event
	out := Event{
		Seq:         e.Seq,
		Hook:        ev.Hook,
		EventID:     ev.ID,
		ReceivedAt:  ev.ReceivedAt,
		Contract:    ev.Contract,
		ContentType: ev.ContentType,
		RoutingKey:  ev.RoutingKey,
		Size:        len(ev.Body),
		Fingerprint: ev.Fingerprint.String(),
		Traceparent: ev.Header[hook.HeaderTraceparent],
		Unverified:  ev.Header[hook.HeaderUnverified] != "",
		Drift:       ev.Header[hook.HeaderDrift],
	}
	if ev.ClientIP.IsValid() {
		out.ClientIP = ev.ClientIP.String()
	}
	if e.Fault != nil {
		out.Fault = &Fault{Kind: e.Fault.Kind, Message: e.Fault.Message, Time: e.Fault.Time, Violations: e.Fault.Violations}
	}
	if values {
		out.Body = ev.Body
		if !json.Valid(ev.Body) || !utf8.Valid(ev.Body) { // the library would write the bytes as they are
			out.Body, _ = json.Marshal(string(ev.Body)) // a string always marshals
		}
	}
	return out
}
