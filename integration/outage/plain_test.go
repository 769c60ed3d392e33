package outage

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The operators make everything with deploy/rabbitmq/definitions.json, and the
// program may do nothing but publish.
func TestEventsAreInTheQueueOnceWithTheShippedUsers(t *testing.T) {
	const password = "battery-staple"
	importDefinitions(t, "hookgate-edge", password)
	broker.Ctl(t, "set_permissions", "-p", "hooks", rabbitUser, ".*", ".*", ".*") // for the test
	redis := startRedis(t)
	e := start(t, setup{
		redis: redis.Addr, rabbit: broker.Addr + "/hooks", rabbitUser: "hookgate-edge", rabbitSecret: secretFile(t, password), topology: "passive",
		hooks: patient + `
	genesys_webhook /strict {
		name strict
		timeout 5s
		on_conflict reject
		on_contract_violation reject
	}`,
	})
	other := strings.Replace(payload("evt_1"), "142", "143", 1)
	broken := strings.Replace(payload("evt_2"), `"callOutcome":"answered",`, "", 1)
	for _, tc := range []struct {
		path, body string
		status     int
		code       string
	}{
		{hookPath, payload("evt_1"), 202, "accepted"},
		{hookPath, payload("evt_1"), 200, "duplicate"},
		{hookPath, other, 202, "parked"},
		{hookPath, other, 200, "duplicate"},
		{hookPath, broken, 202, "parked"},
		{hookPath, broken, 200, "duplicate"},
		{hookPath, payload("evt_2"), 202, "accepted"}, // corrected
		{"/strict", payload("evt_1"), 202, "accepted"},
		{"/strict", other, 409, "conflict"},
		{"/strict", broken, 422, "contract_violation"},
	} {
		want(t, e, tc.path, tc.body, tc.status, tc.code)
	}
	events := drain(t, "hooks", "hookgate.events")
	if len(events) != 2 || len(events["evt_1"]) != 2 || len(events["evt_2"]) != 1 {
		t.Fatalf("the queue has %v", events)
	}
	checkEvent(t, events["evt_2"][0], payload("evt_2"))
	keys := map[string]bool{events["evt_1"][0].RoutingKey: true, events["evt_1"][1].RoutingKey: true}
	if !keys["pe-action-map"] || !keys["strict"] {
		t.Errorf("routing keys %v", keys)
	}
	dead := drain(t, "hooks", "hookgate.dead")
	if len(dead) != 2 || len(dead["evt_1"]) != 1 || len(dead["evt_2"]) != 1 {
		t.Fatalf("the dead letters are %v", dead)
	}
	checkLetter(t, dead["evt_1"][0], other, "conflict")
	checkLetter(t, dead["evt_2"][0], broken, "invalid")
}

func checkEvent(t *testing.T, d amqp.Delivery, body string) {
	t.Helper()
	if d.DeliveryMode != amqp.Persistent || d.AppId != "hookgate" || d.ContentType != "application/json" ||
		!strings.HasPrefix(d.Type, "pe-action-map") || d.Timestamp.IsZero() || d.Exchange != "hookgate" || string(d.Body) != body {
		t.Errorf("the message is %+v", d)
	}
	for _, name := range []string{"hook", "received-at", "client-ip", "fingerprint", "publish"} {
		if text, _ := d.Headers["x-hookgate-"+name].(string); text == "" {
			t.Errorf("it has no %s", name)
		}
	}
	if _, there := d.Headers["x-hookgate-unverified"]; there {
		t.Error("it is unverified")
	}
}

func checkLetter(t *testing.T, d amqp.Delivery, body, kind string) {
	t.Helper()
	for name, value := range map[string]string{
		"x-hookgate-fault-kind": kind, "x-hookgate-origin-exchange": "hookgate", "x-hookgate-origin-routing-key": "pe-action-map",
	} {
		if d.Headers[name] != value {
			t.Errorf("%s: %v, want %s", name, d.Headers[name], value)
		}
	}
	if d.DeliveryMode != amqp.Persistent || d.Exchange != "hookgate.dlx" || string(d.Body) != body {
		t.Errorf("the letter is %+v", d)
	}
}

// importDefinitions gives the broker what is shipped, and a user of it a
// password.
func importDefinitions(t *testing.T, user, password string) {
	t.Helper()
	raw, err := os.ReadFile("../../deploy/rabbitmq/definitions.json")
	if err != nil {
		t.Fatal(err)
	}
	var definitions map[string]any
	if err := json.Unmarshal(raw, &definitions); err != nil {
		t.Fatal(err)
	}
	// https://www.rabbitmq.com/docs/passwords#this-is-the-algorithm
	salt := []byte("salt")
	sum := sha256.Sum256(append(salt, password...))
	hash := base64.StdEncoding.EncodeToString(append(salt, sum[:]...))
	for _, u := range definitions["users"].([]any) {
		if u := u.(map[string]any); u["name"] == user {
			u["password_hash"] = hash
		}
	}
	if raw, err = json.Marshal(definitions); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "definitions.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	broker.Ctl(t, "import_definitions", path)
}
