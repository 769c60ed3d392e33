package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

// hookPath is where the hooks of these tests are.
const hookPath = "/webhooks/genesys/pe-action-map"

// patientHook is a hook at hookPath with options. Its budget is longer than the
// default: on a busy machine 500 ms are over before an event is kept.
func patientHook(options ...string) string {
	lines := append([]string{"	genesys_webhook " + hookPath + " {", "timeout 5s"}, options...)
	return strings.Join(lines, "\n\t\t") + "\n\t}"
}

// server is a running program.
type server struct {
	*edge.Edge
	t *testing.T
}

// start runs the program with a Caddyfile, in which $PORT, $ADMIN and $DIR are
// replaced. It is killed at the end of the test.
func start(t *testing.T, caddyfile string) *server {
	t.Helper()
	return &server{edge.Start(t, program, caddyfile), t}
}

// site wraps directives in a Caddyfile with one plain site.
func site(directives string, global ...string) string {
	return fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
	}
	%s
}

http://:$PORT {
	bind 127.0.0.1
%s
	respond 404
}
`, strings.Join(global, "\n"), directives)
}

// command runs the program with arguments, and returns its output.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return edge.Command(t, program, args...)
}

// answer is what a sender gets.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// code returns the word for the outcome: the code of a problem, or the status
// of a success.
func (a answer) code() string {
	if c, ok := a.body["code"].(string); ok {
		return c
	}
	c, _ := a.body["status"].(string)
	return c
}

// post sends a body as JSON.
func (s *server) post(body string, header ...string) answer {
	s.t.Helper()
	a, err := send(http.DefaultClient, s.URL(hookPath), strings.NewReader(body), header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// send posts a body with a client. Header fields are given in pairs; an empty
// value leaves the field out.
func send(client *http.Client, url string, body io.Reader, header ...string) (answer, error) {
	req, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) (answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	return read(resp)
}

func read(resp *http.Response) (answer, error) {
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			return a, fmt.Errorf("answer is not JSON: %w: %s", err, raw)
		}
	}
	return a, nil
}

// queue returns the counts of the running program.
func (s *server) queue() (q struct{ Ready, Dead int }) {
	s.t.Helper()
	s.AdminGet("/hookgate/queue", &q)
	return q
}

// entry is an event as the admin API shows it.
type entry struct {
	Seq         uint64          `json:"seq"`
	EventID     string          `json:"event_id"`
	Hook        string          `json:"hook"`
	Contract    string          `json:"contract"`
	ClientIP    string          `json:"client_ip"`
	Traceparent string          `json:"traceparent"`
	Body        json.RawMessage `json:"body"`
	Fault       *struct {
		Kind, Message string
		Violations    []struct{ Pointer, Code string }
	} `json:"fault"`
}

// events returns all events in a state, with their bodies.
func (s *server) events(state string) []entry {
	s.t.Helper()
	var all []entry
	for after := uint64(0); ; {
		var page struct{ Events []entry }
		s.AdminGet(fmt.Sprintf("/hookgate/queue/events?state=%s&values=true&limit=1000&after=%d", state, after), &page)
		if len(page.Events) == 0 {
			return all
		}
		all = append(all, page.Events...)
		after = all[len(all)-1].Seq
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	edge.Eventually(t, limit, what, condition)
}

// payload returns an Action Map event with an ID.
func payload(id string) string {
	return strings.Replace(examplePayload, "evt_8f7g6h5j4k3l2m1n0o9p8q7r6s5t4u3v", id, 1)
}

// examplePayload is a whole event.
const examplePayload = `{"campaignId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","campaignName":"Q4_Retention_Outbound","contactId":"98765432-10fe-dcba-0987-654321fedcba",` +
	`"contactNumber":"+14155551234","callOutcome":"answered","agentId":"11223344-5566-7788-99aa-bbccddeeff00","agentName":"Sarah_Jenkins",` +
	`"dispositionCode":"INTERESTED_CALLBACK","dispositionLabel":"Interested - Callback Scheduled","callDurationSeconds":142,` +
	`"timestamp":"2024-05-14T18:32:11.450Z","webhookEventId":"evt_8f7g6h5j4k3l2m1n0o9p8q7r6s5t4u3v"}`

// httpClient keeps its connections.
var httpClient = &http.Client{Timeout: 30 * time.Second}
