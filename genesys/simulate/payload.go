package simulate

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// action is the body of an Action Map event, as the template of a data action
// renders it. A nil RawMessage is left out; null is sent as null.
type action struct {
	CampaignID          string          `json:"campaignId"`
	CampaignName        string          `json:"campaignName"`
	ContactID           string          `json:"contactId"`
	ContactNumber       string          `json:"contactNumber"`
	CallOutcome         string          `json:"callOutcome"`
	AgentID             json.RawMessage `json:"agentId,omitempty"`
	AgentName           json.RawMessage `json:"agentName,omitempty"`
	DispositionCode     json.RawMessage `json:"dispositionCode,omitempty"`
	DispositionLabel    json.RawMessage `json:"dispositionLabel,omitempty"`
	CallDurationSeconds int             `json:"callDurationSeconds"`
	Timestamp           string          `json:"timestamp"`
	WebhookEventID      string          `json:"webhookEventId"`
}

// writer makes events from a source of random numbers. One seed makes one
// sequence of events.
type writer struct {
	rng         *rand.Rand
	release     release
	integration string // of Open Messaging
}

// event returns the JSON of one event that happened now.
func (w writer) event(now time.Time) ([]byte, error) {
	a := action{
		CampaignID:     w.uuid(),
		CampaignName:   pick(w.rng, "Q4_Retention_Outbound", "Spring_Renewals", "Loyalty_Winback", "Overdue_Reminder", "NPS_Follow_Up"),
		ContactID:      w.uuid(),
		ContactNumber:  w.phone(),
		CallOutcome:    pick(w.rng, "answered", "answered", "answered", "no_answer", "busy", "voicemail", "disconnected", "failed"),
		Timestamp:      now.UTC().Format("2006-01-02T15:04:05.000Z"),
		WebhookEventID: "evt_" + w.base36(32),
	}
	switch a.CallOutcome {
	case "answered":
		a.CallDurationSeconds = 5 + w.rng.IntN(900)
		w.describeCall(&a)
	case "voicemail":
		a.CallDurationSeconds = 5 + w.rng.IntN(40)
		w.nobody(&a)
	default:
		w.nobody(&a)
	}
	body, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	if w.release == releaseNext {
		body = driftAction(body, &a)
	}
	return body, nil
}

// driftAction writes a body as a template that was changed by hand may: with
// another name, a number in a string, a time without a zone, and a member that
// nobody knows.
func driftAction(body []byte, a *action) []byte {
	return []byte(strings.NewReplacer(
		fmt.Sprintf(`"callDurationSeconds":%d`, a.CallDurationSeconds), fmt.Sprintf(`"call.durationSeconds":"%d"`, a.CallDurationSeconds),
		a.Timestamp, strings.TrimSuffix(a.Timestamp, "Z"),
		`"contactNumber":`, `"contactTimeZone":"UTC","contactNumber":`,
	).Replace(string(body)))
}

// describeCall adds who answered the call, and how it ended.
func (w writer) describeCall(a *action) {
	end := pick(w.rng,
		[2]string{"INTERESTED_CALLBACK", "Interested - Callback Scheduled"},
		[2]string{"SALE_CLOSED", "Sale Closed"},
		[2]string{"NOT_INTERESTED", "Not Interested"},
		[2]string{"WRONG_NUMBER", "Wrong Number"},
		[2]string{"DO_NOT_CALL", "Do Not Call Again – Asked For"}, // not ASCII on purpose
	)
	a.AgentID = quote(w.uuid())
	a.AgentName = quote(pick(w.rng, "Sarah_Jenkins", "Miguel_Ortega", "Anna_Müller", "Priya_Nair", "Tom_Becker"))
	a.DispositionCode = quote(end[0])
	a.DispositionLabel = quote(end[1])
}

// nobody leaves agent and disposition out, or null: templates do either.
func (w writer) nobody(a *action) {
	if w.rng.IntN(2) == 0 {
		return
	}
	null := json.RawMessage("null")
	a.AgentID, a.AgentName, a.DispositionCode, a.DispositionLabel = null, null, null, null
}

// phone returns a number of the range 555-0100 to 555-0199, which is kept for
// fiction and belongs to nobody.
func (w writer) phone() string {
	area := pick(w.rng, "212", "303", "415", "512", "617", "808")
	return fmt.Sprintf("+1%s55501%02d", area, w.rng.IntN(100))
}

// uuid returns a version 4 UUID, RFC 9562, section 5.4.
func (w writer) uuid() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (w writer) base36(n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[w.rng.IntN(len(digits))]
	}
	return string(b)
}

// quote makes a JSON string of a constant or a UUID, which need no escapes.
func quote(s string) json.RawMessage { return json.RawMessage(`"` + s + `"`) }

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }
