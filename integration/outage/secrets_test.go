package outage

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

// Nothing that a person or a program can read of the running one has a secret,
// neither one that is right nor one that a server refuses.
func TestNoSecretIsShown(t *testing.T) {
	const (
		right = "hunter2-right"
		wrong = "hunter2-wrong"
	)
	redis := startRedis(t)
	grant(t, redis, right)
	broker.Ctl(t, "add_user", "secretive", right)
	broker.Ctl(t, "set_permissions", "secretive", ".*", ".*", ".*")
	t.Setenv("OUTAGE_REDIS_RIGHT", "redis://"+redisUser+":"+right+"@"+redis.Addr+"/0")
	t.Setenv("OUTAGE_REDIS_WRONG", "redis://"+redisUser+":"+wrong+"@"+redis.Addr+"/0")
	t.Setenv("OUTAGE_RABBIT_RIGHT", "amqp://secretive:"+right+"@"+broker.Addr)
	t.Setenv("OUTAGE_RABBIT_WRONG", "amqp://secretive:"+wrong+"@"+broker.Addr)
	for _, tc := range []struct {
		name, store, queue string
		ready              bool
		reasons            []string
	}{
		{
			"right, in files",
			"redis://" + redis.Addr + "/0 {\n\t\t\tusername " + redisUser + "\n\t\t\tpassword {file." + secretFile(t, right) + "}\n\t\t}",
			"amqp://" + broker.Addr + " {\n\t\t\tusername secretive\n\t\t\tpassword {file." + secretFile(t, right) + "}\n\t\t\tprefix secretive\n\t\t}",
			true, nil,
		},
		{
			"right, in URLs from the environment",
			"{env.OUTAGE_REDIS_RIGHT}", "{env.OUTAGE_RABBIT_RIGHT} {\n\t\t\tprefix secretive\n\t\t}",
			true, nil,
		},
		{
			"wrong, in files",
			"redis://" + redis.Addr + "/0 {\n\t\t\tusername " + redisUser + "\n\t\t\tpassword {file." + secretFile(t, wrong) + "}\n\t\t}",
			"amqp://" + broker.Addr + " {\n\t\t\tusername secretive\n\t\t\tpassword {file." + secretFile(t, wrong) + "}\n\t\t}",
			false,
			[]string{"store: redis refused: WRONGPASS", "queue: rabbitmq", "user or password refused"},
		},
		{
			"wrong, in URLs from the environment",
			"{env.OUTAGE_REDIS_WRONG}", "{env.OUTAGE_RABBIT_WRONG}",
			false,
			[]string{"store: redis refused: WRONGPASS", "queue: rabbitmq", "user or password refused"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := edge.Start(t, program, `{
	admin $ADMIN
	auto_https off
	persist_config off
	debug
	hookgate {
		data_dir $DIR/data
		store redis `+tc.store+`
		queue rabbitmq `+tc.queue+`
	}
}

http://:$PORT {
	bind 127.0.0.1
	log
	hookgate_health
	handle /metrics {
		metrics
	}
	`+patient+`
	respond 404
}
`)
			var readiness answer
			edge.Eventually(t, 20*time.Second, "its readiness is as expected", func() bool {
				readiness = get(t, e, "/readyz")
				for _, r := range tc.reasons {
					if !strings.Contains(readiness.raw, r) {
						return false
					}
				}
				return (readiness.status == http.StatusOK) == tc.ready
			})
			if a := post(t, e, hookPath, payload("evt-"+tc.name)); a.ok() != tc.ready {
				t.Errorf("an event: %d %s", a.status, a.raw)
			} else if strings.Contains(a.raw, "hunter2") {
				t.Errorf("the answer has it: %s", a.raw)
			}
			adapted, stderr, _ := edge.Command(t, program, "adapt", "--config", filepath.Join(e.Dir, "Caddyfile"), "--adapter", "caddyfile")
			running, err := e.AdminRead("/config/")
			if err != nil {
				t.Fatal(err)
			}
			for place, text := range map[string]string{
				"the readiness": readiness.raw, "the log": e.Log.String(), "the adapted config": adapted + stderr,
				"the running config": running, "the metrics": get(t, e, "/metrics").raw,
			} {
				if strings.Contains(text, "hunter2") {
					t.Errorf("%s has it: %s", place, text)
				}
				if text == "" {
					t.Errorf("%s is empty", place)
				}
			}
		})
	}
}

// An error of the config is read by whoever starts the program.
func TestNoSecretIsInAnErrorOfTheConfig(t *testing.T) {
	for _, tc := range []struct{ name, store, queue string }{
		{"a password in the URL of Redis", "redis://u:hunter2@localhost", "amqp://localhost"},
		{"a password in the URL of RabbitMQ", "redis://localhost", "amqp://u:hunter2@localhost"},
		{"a password in the block of Redis", "redis://localhost {\n\t\t\tpassword hunter2\n\t\t}", "amqp://localhost"},
		{"a password in the block of RabbitMQ", "redis://localhost", "amqp://localhost {\n\t\t\tpassword hunter2\n\t\t}"},
		{"a URL of Redis that is none", "{env.OUTAGE_REDIS}", "amqp://localhost"},
		{"a URL of RabbitMQ that is none", "redis://localhost", "{env.OUTAGE_RABBIT}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("OUTAGE_REDIS", "redis://u:hunter2#@local host")
			t.Setenv("OUTAGE_RABBIT", "amqp://u:hunter2#@local host")
			stderr, code := validate(t, "{\n\thookgate {\n\t\tstore redis "+tc.store+"\n\t\tqueue rabbitmq "+tc.queue+"\n\t}\n}\nhttp://:0 {\n\t"+patient+"\n}\n")
			if code == 0 {
				t.Error("it is valid")
			}
			if strings.Contains(stderr, "hunter2") {
				t.Errorf("the error has it: %s", stderr)
			}
		})
	}
}
