package simulate

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// party is one side of a channel. Its name was written in two ways.
type party struct {
	Nickname string `json:"nickname,omitempty"`
	NickName string `json:"nickName,omitempty"`
	ID       string `json:"id"`
	IDType   string `json:"idType,omitempty"`
}

type channel struct {
	ID        string `json:"id"`
	Platform  string `json:"platform"`
	Type      string `json:"type"`
	To        party  `json:"to"`
	From      party  `json:"from"`
	Time      string `json:"time"`
	MessageID string `json:"messageId,omitempty"`
}

// openMessage is what Open Messaging sends. The order is that of the real ones.
type openMessage struct {
	ID                string          `json:"id"`
	Channel           channel         `json:"channel"`
	Type              string          `json:"type"`
	Text              string          `json:"text,omitempty"`
	Status            string          `json:"status,omitempty"`
	IsFinalReceipt    *bool           `json:"isFinalReceipt,omitempty"`
	Reasons           json.RawMessage `json:"reasons,omitempty"`
	Events            json.RawMessage `json:"events,omitempty"`
	Content           json.RawMessage `json:"content,omitempty"`
	RelatedMessages   json.RawMessage `json:"relatedMessages,omitempty"`
	OriginatingEntity string          `json:"originatingEntity,omitempty"`
	Direction         string          `json:"direction"`
	ConversationID    string          `json:"conversationId,omitempty"`
}

// The months in which Open Messaging's bodies are known to have changed.
const (
	withMessageID      release = 202111
	withConversationID release = 202501
)

// openMessage returns the JSON of a text, a structured message, a receipt or a
// typing event that happened now.
func (w writer) openMessage(now time.Time) ([]byte, error) {
	m := openMessage{
		ID:        w.hex(16),
		Direction: "Outbound",
		Channel: channel{
			ID: w.integration, Platform: "Open", Type: "Private",
			To:   party{ID: "customer-" + w.base36(10) + "@example.com", IDType: "Opaque"},
			From: party{Nickname: "Example Integration", ID: w.integration, IDType: "Opaque"},
			Time: now.UTC().Format("2006-01-02T15:04:05.000Z"),
		},
	}
	m.Channel.MessageID = m.ID
	m.Type = pick(w.rng, "Text", "Text", "Text", "Text", "Structured", "Receipt", "Receipt", "Event")
	w.fillMessage(&m)
	m.OriginatingEntity = pick(w.rng, "Human", "Bot")
	m.ConversationID = w.uuid()
	if w.release < withConversationID {
		m.ConversationID = ""
		m.Channel.From.Nickname, m.Channel.From.NickName = "", m.Channel.From.Nickname
	}
	if w.release < withMessageID {
		m.Channel.MessageID, m.OriginatingEntity = "", ""
		m.Channel.To.IDType, m.Channel.From.IDType = "", ""
		m.RelatedMessages = json.RawMessage("[]")
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	if w.release == releaseNext {
		body = driftMessage(body)
	}
	return body, nil
}

func (w writer) fillMessage(m *openMessage) {
	switch m.Type {
	case "Text":
		m.Text = pick(w.rng, "Hello World", "How can I help you?", "Guten Tag, Grüße aus Köln", "Your order is on its way.")
		if w.rng.IntN(4) == 0 {
			m.Text = ""
			m.Content = fmt.Appendf(nil, `[{"contentType":"Attachment","attachment":{"id":"%s","mediaType":"Image","url":"https://downloads.example.com/%s","mime":"image/jpeg","filename":"image.jpg","contentSizeBytes":%d}}]`,
				w.uuid(), w.base36(12), 1000+w.rng.IntN(1_000_000))
		}
	case "Structured":
		m.Text = "How can I help you?"
		m.Content = json.RawMessage(`[{"contentType":"Notification","template":{"header":{"text":"Hello"},"body":{"text":"How can I help you?","parameters":[{"name":"name","text":"Happy"}]},"footer":{"text":"Goodbye"}}}]`)
	case "Receipt":
		m.Status = pick(w.rng, "Sent", "Delivered", "Read", "Failed")
		final := m.Status == "Read" || m.Status == "Failed"
		m.IsFinalReceipt = &final
		if m.Status == "Failed" {
			m.Reasons = json.RawMessage(`[{"code":"GeneralError","message":"some general error"}]`)
		}
	case "Event":
		m.Events = json.RawMessage(`[{"eventType":"Typing","typing":{"type":"On","duration":5000}}]`)
	}
}

// driftMessage writes a body as a later release may: with members and values
// that nobody knows yet, a number in a string, and a time without a zone.
func driftMessage(body []byte) []byte {
	return []byte(strings.NewReplacer(
		`Z","messageId"`, `","region":"use1","messageId"`,
		`"originatingEntity":"Bot"`, `"originatingEntity":"Copilot"`,
		`"eventType":"Typing"`, `"eventType":"Presence"`,
		`"duration":5000`, `"duration":"5000"`,
		`"status":"Sent"`, `"status":"Queued"`,
		`"code":"GeneralError"`, `"code":"PolicyBlocked"`,
		`"direction":"Outbound"`, `"direction":"Outbound","sentiment":{"score":0.5}`,
	).Replace(string(body)))
}

// hex returns a number of n bytes in hexadecimal.
func (w writer) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	return hex.EncodeToString(b)
}
