package provision

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/hookgate/hookgate/genesys"
)

// test sends an event through the action to the hook.
func (p *Provisioner) test(ctx context.Context, a *DataAction, action genesys.Action) (*Test, error) {
	input, id := sample(a, "hookgate-test-"+strings.ToLower(rand.Text()), time.Now())
	result, err := p.api.TestAction(ctx, action.ID, input)
	if err != nil {
		return nil, err
	}
	t := &Test{OK: result.Success, EventID: id, Answer: string(result.Result)}
	var answer struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(result.Result, &answer) == nil && result.Success && answer.Status != "accepted" && answer.Status != "duplicate" {
		t.OK = false
		t.Error = "the edge did not accept the event: is another contract set there?"
	}
	for _, step := range result.Operations {
		if step.Success {
			continue
		}
		t.Error = step.Name
		if step.Error != nil {
			t.Error += ": " + step.Error.Message
		}
		if t.Answer == "" {
			t.Answer = string(step.Result)
		}
	}
	if t.Error == "" && !t.OK && result.Error != nil {
		t.Error = result.Error.Message
	}
	t.Answer, t.Error = without(a.Secret, t.Answer), without(a.Secret, t.Error)
	return t, nil
}

// without puts stars in the place of a secret: as it is, and as it stands in JSON,
// which an answer is.
func without(secret, text string) string {
	var plain strings.Builder
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(secret) // a string, into memory: neither can fail
	escaped, _ := json.Marshal(secret)
	for _, quoted := range []string{strings.TrimSpace(plain.String()), string(escaped)} {
		text = strings.ReplaceAll(text, quoted[1:len(quoted)-1], stars)
	}
	return strings.ReplaceAll(text, secret, stars)
}

// sample makes an event of a contract that nobody can take for a real one. Its
// telephone number is one of those for fiction.
func sample(a *DataAction, id string, now time.Time) (input map[string]any, eventID string) {
	input = make(map[string]any)
	for _, m := range a.Contract.Members() {
		kind, _, err := kindOf(m)
		if err != nil {
			continue
		}
		switch {
		case m.EventID && kind == "string":
			input[m.Name], eventID = id, id
		case !m.Required:
		case m.Format == "date-time":
			input[m.Name] = now.UTC().Format("2006-01-02T15:04:05.000Z07:00")
		case kind == "string" && strings.Contains(strings.ToLower(m.Name), "number"):
			input[m.Name] = "+12025550123"
		case kind == "string":
			input[m.Name] = "hookgate-test"
		case kind == "boolean":
			input[m.Name] = true
		default:
			input[m.Name] = 1
		}
	}
	return input, eventID
}
