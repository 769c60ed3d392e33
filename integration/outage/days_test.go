package outage

import (
	"os"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/edge"
)

// day is one on which something breaks.
type day struct {
	name string
	path string // of the hook. Default: hookPath

	// ruin breaks something, and heal puts it right. What one did, the other
	// may take from the rig.
	ruin, heal func(t *testing.T, r *rig, l *load)

	// again is called time after time while it is broken.
	again func(t *testing.T, r *rig)

	// lasts is how long it stays broken. Default: 2s.
	lasts time.Duration

	// codes are answers of which one at least must be seen meanwhile, if there
	// are any.
	codes []string

	// look is called with what is in the queue at the end.
	look func(t *testing.T, l *load, there map[string][]amqp.Delivery)
}

// every is the time between two calls of again.
const every = 100 * time.Millisecond

func TestBadDays(t *testing.T) {
	r := newRig(t)
	for _, d := range append(redisDays(), rabbitDays()...) {
		t.Run(d.name, func(t *testing.T) { r.live(t, d) })
	}
}

// live goes through a bad day under load.
func (r *rig) live(t *testing.T, d day) {
	if d.lasts == 0 {
		d.lasts = 2 * time.Second
	}
	if d.path == "" {
		d.path = hookPath
	}
	l := startLoad(t, r.Edge, d.path, t.Name())
	edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 50 })
	if d.ruin != nil {
		d.ruin(t, r, l)
	}
	begin, next := time.Now(), time.Time{}
	edge.Eventually(t, time.Minute, "it is noticed", func() bool {
		if d.again != nil && time.Now().After(next) {
			d.again(t, r)
			next = time.Now().Add(every)
		}
		return time.Since(begin) > d.lasts && l.sawAny(d.codes)
	})
	if d.heal != nil {
		d.heal(t, r, l)
	}
	l.serves(20 * time.Second)
	l.settle()
	there := r.check(t, l)
	if d.look != nil {
		d.look(t, l, there)
	}
	r.rested(t)
}

// sawAny reports whether an answer had one of the codes, if there are any.
func (l *load) sawAny(codes []string) bool {
	for _, c := range codes {
		if l.seen(c) > 0 {
			return true
		}
	}
	return len(codes) == 0
}

// redisDays are those on which the store breaks.
func redisDays() []day {
	down := []string{"store_unavailable"}
	return []day{
		{
			name:  "Redis is suspended",
			ruin:  func(_ *testing.T, r *rig, _ *load) { r.redis.Suspend() },
			heal:  func(_ *testing.T, r *rig, _ *load) { r.redis.Resume() },
			codes: down,
		}, {
			name:  "Redis is killed and comes back with its data",
			ruin:  func(_ *testing.T, r *rig, _ *load) { r.redis.Kill() },
			heal:  func(_ *testing.T, r *rig, _ *load) { r.redis.Restart() },
			codes: down,
		}, {
			name: "Redis is suspended, and the hook publishes all the same",
			path: dataActionPath,
			ruin: func(_ *testing.T, r *rig, _ *load) { r.redis.Suspend() },
			heal: func(_ *testing.T, r *rig, _ *load) { r.redis.Resume() },
			look: unverified,
		}, {
			name: "Redis is killed, and the hook publishes all the same",
			path: dataActionPath,
			ruin: func(_ *testing.T, r *rig, _ *load) { r.redis.Kill() },
			heal: func(_ *testing.T, r *rig, _ *load) { r.redis.Restart() },
			look: unverified,
		}, {
			name: "Redis is killed and comes back empty",
			ruin: func(_ *testing.T, r *rig, _ *load) {
				r.redis.Do("flushall")
				r.redis.Kill()
			},
			heal:  func(_ *testing.T, r *rig, _ *load) { r.redis.Restart() },
			codes: down,
		}, {
			name:  "Redis has no memory left",
			ruin:  func(_ *testing.T, r *rig, _ *load) { r.redis.Do("config", "set", "maxmemory", "1") },
			heal:  func(_ *testing.T, r *rig, _ *load) { r.redis.Do("config", "set", "maxmemory", "0") },
			codes: down,
		}, {
			name:  "Redis becomes a replica of nobody",
			ruin:  func(_ *testing.T, r *rig, _ *load) { r.redis.Do("replicaof", "127.0.0.1", "1") },
			heal:  func(_ *testing.T, r *rig, _ *load) { r.redis.Do("replicaof", "no", "one") },
			codes: down,
		}, {
			name: "Redis has something else under the keys",
			ruin: func(t *testing.T, r *rig, l *load) {
				for _, id := range foreign(t) {
					r.redis.Do("rpush", hook.EventKey("pe-action-map", id), "theirs")
				}
				l.also(foreign(t)...)
			},
			heal: func(t *testing.T, r *rig, _ *load) {
				for _, id := range foreign(t) {
					r.redis.Do("del", hook.EventKey("pe-action-map", id))
				}
			},
			codes: down,
		}, {
			name: "the password for Redis changes, and the file a while later",
			ruin: func(t *testing.T, r *rig, _ *load) {
				grant(t, r.redis, "another")
				r.redis.Do("client", "kill", "user", redisUser)
			},
			heal: func(t *testing.T, r *rig, _ *load) {
				if err := os.WriteFile(r.secret, []byte("another"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			codes: down,
		}, {
			name:  "the user for Redis is removed",
			ruin:  func(_ *testing.T, r *rig, _ *load) { r.redis.Do("acl", "deluser", redisUser) },
			heal:  func(t *testing.T, r *rig, _ *load) { grant(t, r.redis, "another") },
			codes: down,
		}, {
			name:  "answers of Redis are cut",
			again: func(_ *testing.T, r *rig) { r.toRedis.CutReply() },
			heal: func(t *testing.T, r *rig, l *load) {
				r.toRedis.Resume()
				if metric(t, r.Edge, "hookgate_redis_retries_total") == 0 {
					t.Error("nothing was sent again")
				}
				if good, bad := l.seen("accepted"), l.troubled(); bad > good/10 { // a second cut on a busy machine
					t.Errorf("%d of %d answers were bad", bad, good+bad)
				}
			},
		},
	}
}

// unverified checks that nobody has noticed, and that what was not looked for in
// the store says so.
func unverified(t *testing.T, l *load, there map[string][]amqp.Delivery) {
	marked := 0
	for _, ds := range there {
		if ds[0].Headers["x-hookgate-unverified"] == "true" {
			marked++
		}
	}
	good, bad := l.seen("accepted"), l.troubled()
	if marked < 20 || marked == good {
		t.Errorf("%d of %d events are unverified", marked, good)
	}
	if bad > good/10 { // on a busy machine
		t.Errorf("%d of %d answers were bad", bad, good+bad)
	}
}

// foreign returns the IDs of events under whose keys there is something else.
func foreign(t *testing.T) []string {
	return []string{t.Name() + "-foreign-1", t.Name() + "-foreign-2", t.Name() + "-foreign-3"}
}

// rabbitDays are those on which the queue breaks.
func rabbitDays() []day {
	down := []string{"queue_unavailable"}
	doubt := []string{"outcome_unknown"}
	ctl := func(args ...string) func(*testing.T, *rig, *load) {
		return func(t *testing.T, _ *rig, _ *load) { broker.Ctl(t, args...) }
	}
	resume := func(_ *testing.T, r *rig, _ *load) { r.toRabbit.Resume() }
	return []day{
		{
			name:  "RabbitMQ is suspended",
			ruin:  func(t *testing.T, _ *rig, _ *load) { broker.Signal(t, syscall.SIGSTOP) },
			heal:  func(t *testing.T, _ *rig, _ *load) { broker.Signal(t, syscall.SIGCONT) },
			codes: doubt,
		}, {
			name:  "RabbitMQ is suspended for so long that its connections are given up",
			ruin:  func(t *testing.T, _ *rig, _ *load) { broker.Signal(t, syscall.SIGSTOP) },
			heal:  func(t *testing.T, _ *rig, _ *load) { broker.Signal(t, syscall.SIGCONT) },
			lasts: 6 * time.Second,
			codes: down,
		}, {
			name:  "RabbitMQ is killed",
			ruin:  func(*testing.T, *rig, *load) { broker.Kill() },
			heal:  restartBroker,
			codes: down,
		}, {
			name:  "RabbitMQ has a memory alarm",
			ruin:  ctl("set_vm_memory_high_watermark", "0.00001"),
			heal:  ctl("set_vm_memory_high_watermark", "0.6"),
			codes: down,
		}, {
			name:  "RabbitMQ has a disk alarm",
			ruin:  ctl("set_disk_free_limit", "9000GB"),
			heal:  ctl("set_disk_free_limit", "50MB"),
			codes: down,
		}, {
			name: "the queue is full",
			ruin: func(t *testing.T, r *rig, _ *load) {
				broker.Ctl(t, "set_policy", "full", "^"+r.prefix+`\.events$`, `{"max-length":1}`, "--apply-to", "queues")
			},
			heal:  ctl("clear_policy", "full"),
			codes: down,
		}, {
			name: "the queue is unbound",
			again: func(t *testing.T, r *rig) {
				if err := channel(t, "/").QueueUnbind(r.queue(), "#", r.prefix, nil); err != nil {
					t.Error(err)
				}
			},
			codes: down,
		}, {
			name: "the exchange is deleted",
			ruin: func(t *testing.T, r *rig, _ *load) {
				if err := channel(t, "/").ExchangeDelete(r.prefix, false, false); err != nil {
					t.Error(err)
				}
			},
			codes: append(down, doubt...),
		}, {
			name:  "nothing gets through to RabbitMQ",
			ruin:  func(_ *testing.T, r *rig, _ *load) { r.toRabbit.StallUp() },
			heal:  resume,
			lasts: 6 * time.Second,
			codes: doubt,
		}, {
			name:  "nothing comes back from RabbitMQ",
			ruin:  func(_ *testing.T, r *rig, _ *load) { r.toRabbit.StallDown() },
			heal:  resume,
			lasts: 6 * time.Second,
			codes: doubt,
		}, {
			name:  "RabbitMQ cannot be reached",
			ruin:  func(_ *testing.T, r *rig, _ *load) { r.toRabbit.Refuse() },
			heal:  resume,
			codes: down,
		}, {
			name:  "connections are reset between write and confirmation",
			again: func(_ *testing.T, r *rig) { r.toRabbit.CutReply() },
			heal:  resume,
			lasts: 4 * time.Second,
			codes: doubt,
		},
	}
}

func restartBroker(t *testing.T, _ *rig, _ *load) {
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
}
