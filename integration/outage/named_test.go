package outage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/integration/edge"
)

func TestAQueueOfAnotherProgramGetsItsEventsAndNoOtherDoes(t *testing.T) {
	for _, tc := range []struct {
		name      string
		arguments amqp.Table
	}{
		{"a quorum queue", amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int64(3)}},
		{"a classic queue with a dead-letter exchange", amqp.Table{"x-dead-letter-exchange": "amq.fanout", "x-message-ttl": int64(3_600_000)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			redis, prefix := startRedis(t), newPrefix()
			theirs := prefix + "-orders"
			if _, err := channel(t, "/").QueueDeclare(theirs, true, false, false, false, tc.arguments); err != nil {
				t.Fatal(err)
			}
			e := start(t, setup{redis: redis.Addr, rabbit: broker.Addr, prefix: prefix, hooks: patient + `
	genesys_webhook /orders {
		name orders
		timeout 5s
		queue ` + theirs + `
	}`})
			want(t, e, "/orders", payload("evt_1"), 202, "accepted")
			want(t, e, "/orders", payload("evt_1"), 200, "duplicate")
			want(t, e, "/orders", `{"webhookEventId":"evt_2"}`, 202, "parked")
			want(t, e, hookPath, payload("evt_3"), 202, "accepted")
			for queue, id := range map[string]string{theirs: "evt_1", prefix + ".dead": "evt_2", prefix + ".events": "evt_3"} {
				if there := drain(t, "/", queue); len(there) != 1 || len(there[id]) != 1 {
					t.Errorf("%s has %v", queue, there)
				}
			}
		})
	}
}

func TestAQueueThatNoEventCanReachIsAnErrorInTheConfig(t *testing.T) {
	rabbit := setup{redis: "127.0.0.1:1", rabbit: "127.0.0.1:1"}
	for _, tc := range []struct {
		name, hook string
		embedded   bool
		want       []string
	}{
		{"a queue beside a routing key", "routing_key a\n\t\tqueue b", false, []string{"Caddyfile:", "routing_key and a queue exclude each other"}},
		{"a Celery task beside a queue", "queue a\n\t\tformat celery t {\n\t\t\tqueue b\n\t\t}", false, []string{"Caddyfile:", "format celery"}},
		{"a Celery task without a queue", "format celery t", false, []string{"Caddyfile:", "needs a block"}},
		{"a queue with queue embedded", "queue a", true, []string{"hook's own queue", "queue rabbitmq <url>"}},
		{"a Celery task with queue embedded", "format celery t {\n\t\t\tqueue a\n\t\t}", true, []string{"format celery", "queue rabbitmq <url>"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := rabbit
			s.hooks = "genesys_webhook {\n\t\t" + tc.hook + "\n\t}"
			text := s.caddyfile(t)
			if tc.embedded {
				text = "{\n\thookgate {\n\t\tqueue embedded\n\t}\n}\nhttp://:0 {\n\t" + s.hooks + "\n}\n"
			}
			stderr, code := validate(t, text)
			if code == 0 {
				t.Fatal("it is valid")
			}
			for _, text := range tc.want {
				if !strings.Contains(stderr, text) {
					t.Errorf("the error does not say %q:\n%s", text, stderr)
				}
			}
		})
	}
}

// validate has the program look at a config.
func validate(t *testing.T, caddyfile string) (stderr string, code int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Caddyfile")
	text := strings.NewReplacer("$PORT", "0", "$ADMIN", "127.0.0.1:0", "$DIR", t.TempDir()).Replace(caddyfile)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code = edge.Command(t, program, "validate", "--config", path, "--adapter", "caddyfile")
	return stderr, code
}
