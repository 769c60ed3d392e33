package outage

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

// setup is what a test says of the program's config.
type setup struct {
	redis         string // addresses, with white space between. Default: the store is embedded
	redisMode     string // default: single
	redisPassword string // path of a file
	fallback      string // DSN. Default: no fallback
	rabbit        string // address and virtual host; several with blanks between
	rabbitUser    string // default: rabbitUser
	rabbitSecret  string // path of a file. Default: the user's name is the password
	prefix        string
	topology      string // default: declare
	queue         string // more of the queue's block
	consumer      string // its block, if there is one
	global        string // more global options
	hooks         string
}

// caddyfile returns a config with one plain site.
func (s setup) caddyfile(t *testing.T) string {
	t.Helper()
	or := func(v *string, otherwise string) {
		if *v == "" {
			*v = otherwise
		}
	}
	or(&s.rabbitUser, rabbitUser)
	or(&s.topology, "declare")
	or(&s.prefix, "hookgate")
	if s.rabbitSecret == "" {
		s.rabbitSecret = secretFile(t, s.rabbitUser)
	}
	if s.redisPassword == "" {
		s.redisPassword = secretFile(t, redisPassword)
	}
	store := "embedded"
	if s.redis != "" {
		fallback := ""
		if s.fallback != "" {
			fallback = "\n\t\t\tfallback postgres " + s.fallback
		}
		urls := "redis://" + strings.Join(strings.Fields(s.redis), "/0 redis://") + "/0"
		or(&s.redisMode, "single")
		store = fmt.Sprintf("redis %s {\n\t\t\tmode %s\n\t\t\tusername %s\n\t\t\tpassword {file.%s}%s\n\t\t}", urls, s.redisMode, redisUser, s.redisPassword, fallback)
	}
	urls := "amqp://" + strings.Join(strings.Fields(s.rabbit), " amqp://")
	return fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	%s
	hookgate {
		data_dir $DIR/data
		store %s
		queue rabbitmq %s {
			username %s
			password {file.%s}
			prefix %s
			topology %s
			%s
		}
		%s
	}
}

http://:$PORT {
	bind 127.0.0.1
	hookgate_health
	handle /metrics {
		metrics
	}
	%s
	respond 404
}
`, s.global, store, urls, s.rabbitUser, s.rabbitSecret, s.prefix, s.topology, s.queue, s.consumer, s.hooks)
}

// secretFile returns the path of a new file with a secret.
func secretFile(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs the program, and waits until it says that it is ready.
func start(t *testing.T, s setup) *edge.Edge {
	t.Helper()
	e := edge.Start(t, program, s.caddyfile(t))
	edge.Eventually(t, time.Minute, "it is ready", func() bool { return get(t, e, "/readyz").status == http.StatusOK })
	return e
}

// hookPath is where the hook pe-action-map is.
const hookPath = "/webhooks/genesys/pe-action-map"

// patient is a hook with a budget that a busy machine does not overrun.
const patient = "genesys_webhook {\n\t\ttimeout 5s\n\t}"

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

// ok reports whether the event was taken.
func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// flaw returns what is wrong with the form of an answer, or nothing.
func (a answer) flaw() string {
	switch {
	case a.code() == "":
		return "it has no code"
	case a.ok():
		return ""
	case a.status != http.StatusServiceUnavailable && a.status != http.StatusGatewayTimeout:
		return "it is not 503 or 504, which are sent again"
	case a.header.Get("Content-Type") != "application/problem+json":
		return "it is not a problem"
	}
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 {
		return "it does not say when to come back"
	}
	return ""
}

// send posts a body to an address.
func send(client *http.Client, url, body string) (answer, error) {
	resp, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	return read(resp)
}

func read(resp *http.Response) (answer, error) {
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if err == nil && strings.Contains(resp.Header.Get("Content-Type"), "json") {
		err = json.Unmarshal(raw, &a.body)
	}
	return a, err
}

// post posts a body to a hook of the program.
func post(t *testing.T, e *edge.Edge, path, body string) answer {
	t.Helper()
	a, err := send(http.DefaultClient, e.URL(path), body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// want posts a body and checks the outcome.
func want(t *testing.T, e *edge.Edge, path, body string, status int, code string) {
	t.Helper()
	if a := post(t, e, path, body); a.status != status || a.code() != code {
		t.Errorf("got %d %s, want %d %s", a.status, a.raw, status, code)
	}
}

// get reads a page of the program.
func get(t *testing.T, e *edge.Edge, path string) answer {
	t.Helper()
	resp, err := http.Get(e.URL(path))
	if err != nil {
		t.Fatal(err)
	}
	a, err := read(resp)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// metric returns the value of a metric without labels, or with those that the
// name has.
func metric(t *testing.T, e *edge.Edge, name string) float64 {
	t.Helper()
	for line := range strings.Lines(get(t, e, "/metrics").raw) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// payload returns an Action Map event with an ID.
func payload(id string) string { return fmt.Sprintf(event, id) }

const event = `{"campaignId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","campaignName":"Q4_Retention_Outbound",` +
	`"contactId":"98765432-10fe-dcba-0987-654321fedcba","contactNumber":"+14155551234","callOutcome":"answered",` +
	`"agentId":"11223344-5566-7788-99aa-bbccddeeff00","agentName":"Sarah_Jenkins","dispositionCode":"INTERESTED_CALLBACK",` +
	`"dispositionLabel":"Interested - Callback Scheduled","callDurationSeconds":142,"timestamp":"2024-05-14T18:32:11.450Z","webhookEventId":"%s"}`
