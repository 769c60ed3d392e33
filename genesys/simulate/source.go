package simulate

import (
	"slices"
	"strings"
	"time"
)

// The sources, which send as the parts of Genesys Cloud do that call a URL.
const (
	SourceDataAction    = "data-action"
	SourceOpenMessaging = "open-messaging"
)

// How Open Messaging sends again: on a timeout, on 429 and on 5xx, and on
// nothing else. With the 10 s that it waits for an answer it has given up after
// 85 s.
const (
	DefaultRetries    = 5
	DefaultRetryPause = 5 * time.Second
)

// Sources returns the sources.
func Sources() []string { return []string{SourceDataAction, SourceOpenMessaging} }

// Payloads returns the kinds of events that can be sent.
func Payloads() []string {
	names := make([]string, len(payloads))
	for i := range payloads {
		names[i] = payloads[i].name
	}
	return names
}

// payload is a kind of event.
type payload struct {
	name string
	body func(writer, time.Time) ([]byte, error)

	wrong string // a member of every body that a contract wants as a text
	id    string // a member of the event ID
	lines bool   // the events are those of one integration
}

var payloads = []payload{
	{name: "pe-action-map", body: writer.event, wrong: "callOutcome", id: "webhookEventId"},
	{name: "open-messaging", body: writer.openMessage, wrong: "direction", id: "id", lines: true},
	{name: "conversation-event", body: writer.conversationEvent, wrong: "mediaType", id: "conversationId"},
}

// payloadOf returns the kind of events of a name.
func payloadOf(name string) *payload {
	i := slices.IndexFunc(payloads, func(p payload) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return &payloads[i]
}

// prepareSource fills in what the source decides.
func (o *Options) prepareSource() error {
	setDefault(&o.Source, SourceDataAction)
	if !slices.Contains(Sources(), o.Source) {
		return invalid("the source is %s", strings.Join(Sources(), " or "))
	}
	if o.Payload == "" {
		o.Payload = "pe-action-map"
		if o.Source == SourceOpenMessaging {
			o.Payload = "open-messaging"
		}
	}
	if payloadOf(o.Payload) == nil {
		return invalid("the payload is one of %s", strings.Join(Payloads(), ", "))
	}
	setDefault(&o.RetryPause, DefaultRetryPause)
	switch {
	case o.Retries < 0 || o.Retries > 100:
		return invalid("the retries must be 0 to 100")
	case o.RetryPause < 0:
		return invalid("the pause before a retry must not be negative")
	}
	_, err := parseRelease(o.Release)
	return err
}
