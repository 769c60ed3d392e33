package simulate

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// conversationEvent is the body of a trigger with its topic, as a workflow sends
// it by a data action.
type conversationEvent struct {
	TopicName      string `json:"topicName"`
	EventTime      int64  `json:"eventTime"`
	ConversationID string `json:"conversationId"`
	ParticipantID  string `json:"participantId"`
	SessionID      string `json:"sessionId"`
	DisconnectType string `json:"disconnectType,omitempty"`
	MediaType      string `json:"mediaType"`
	Provider       string `json:"provider"`
	Direction      string `json:"direction"`
	ANI            string `json:"ani"`
	DNIS           string `json:"dnis"`
	UserID         string `json:"userId,omitempty"`
	QueueID        string `json:"queueId,omitempty"`
	DurationMS     *int   `json:"interactingDurationMs,omitempty"`
	DivisionID     string `json:"divisionId,omitempty"`
	ContactIDs     any    `json:"conversationExternalContactIds,omitempty"`
	Utilization    string `json:"utilizationLabel,omitempty"`
}

// dated is a value, and the month from which it was sent.
type dated struct {
	since release
	value string
}

var (
	disconnectTypes = []dated{
		{firstRelease, "CLIENT"},
		{firstRelease, "PEER"},
		{firstRelease, "ENDPOINT"},
		{firstRelease, "TRANSFER"},
		{202308, "DND_TRANSFER"},
		{202506, "INACTIVITY"},
		{202509, "SESSION_EXPIRED"},
		{202602, "TAKEOVER"},
		{releaseNext, "AGENT_HANDOVER"},
	}
	mediaTypes = []dated{
		{firstRelease, "VOICE"},
		{firstRelease, "CHAT"},
		{firstRelease, "MESSAGE"},
		{202409, "INTERNALMESSAGE"},
		{202512, "SCREENMONITORING"},
		{releaseNext, "HOLOGRAM"},
	}
)

// The months in which members were added to a conversation's events.
const (
	withContactIDs  release = 202304
	withDivision    release = 202405
	withUtilization release = 202603
)

// conversationEvent returns the JSON of an event of a conversation that happened
// now.
func (w writer) conversationEvent(now time.Time) ([]byte, error) {
	topic := pick(w.rng, "customer.start", "customer.end", "acd.start", "user.start", "user.end")
	e := conversationEvent{
		TopicName: "v2.detail.events.conversation.{id}." + topic,
		EventTime: now.UnixMilli(), ConversationID: w.uuid(), ParticipantID: w.uuid(), SessionID: w.uuid(),
		MediaType: w.of(mediaTypes), Provider: "Edge", Direction: pick(w.rng, "INBOUND", "OUTBOUND"),
		ANI: w.phone(), DNIS: w.phone(),
	}
	if strings.HasSuffix(topic, ".end") {
		duration := 1000 + w.rng.IntN(900_000)
		e.DisconnectType, e.DurationMS = w.of(disconnectTypes), &duration
	}
	if strings.HasPrefix(topic, "user.") {
		e.UserID = w.uuid()
	}
	if !strings.HasPrefix(topic, "customer.") {
		e.QueueID = w.uuid()
	}
	if w.release >= withContactIDs {
		e.ContactIDs = []string{w.uuid()}
	}
	if w.release >= withDivision {
		e.DivisionID = w.uuid()
	}
	if w.release >= withUtilization {
		e.Utilization = "priority"
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	if w.release == releaseNext {
		body = driftConversation(body, &e)
	}
	return body, nil
}

// of picks a value that was there in the release.
func (w writer) of(all []dated) string {
	var there []string
	for _, d := range all {
		if d.since <= w.release {
			there = append(there, d.value)
		}
	}
	return pick(w.rng, there...)
}

// driftConversation writes numbers as a template with quotes does, and a member
// that nobody knows yet.
func driftConversation(body []byte, e *conversationEvent) []byte {
	replace := []string{
		fmt.Sprintf(`"eventTime":%d`, e.EventTime), fmt.Sprintf(`"eventTime":"%d"`, e.EventTime),
		`"provider":"Edge"`, `"provider":"Edge","journeyId":"none"`,
	}
	if e.DurationMS != nil {
		replace = append(replace, fmt.Sprintf(`"interactingDurationMs":%d`, *e.DurationMS), fmt.Sprintf(`"interactingDurationMs":"%d"`, *e.DurationMS))
	}
	return []byte(strings.NewReplacer(replace...).Replace(string(body)))
}
