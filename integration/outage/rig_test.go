package outage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// rig is a running program with proxies between it and its servers.
type rig struct {
	*edge.Edge
	redis              *servers.Redis
	toRedis, toRabbit  *servers.Proxy
	prefix             string
	secret             string // path of the file with the password for Redis
	goroutines, opened int    // on a good day
}

// dataActionPath is where the hook is that publishes while the store is down.
const dataActionPath = "/data-action"

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{redis: startRedis(t), prefix: newPrefix(), secret: secretFile(t, redisPassword)}
	r.toRedis, r.toRabbit = servers.NewProxy(t, r.redis.Addr), servers.NewProxy(t, broker.Addr)
	r.Edge = start(t, setup{
		redis: r.toRedis.Addr, redisPassword: r.secret, rabbit: r.toRabbit.Addr, prefix: r.prefix,
		hooks: "genesys_webhook\n\tgenesys_webhook " + dataActionPath + " {\n\t\tname data-action\n\t\tsource data-action\n\t}",
	})
	begin := time.Now()
	l := startLoad(t, r.Edge, hookPath, "warm")
	edge.Eventually(t, time.Minute, "the queues are old enough", func() bool { return time.Since(begin) > young })
	l.settle()
	r.check(t, l)
	r.goroutines, r.opened = r.countGoroutines(t), r.countFiles(t)
	return r
}

func (r *rig) queue() string { return r.prefix + ".events" }

// check holds a load against the queue, which is empty then.
func (r *rig) check(t *testing.T, l *load) map[string][]amqp.Delivery {
	t.Helper()
	there := drain(t, "/", r.queue())
	counts := make(map[string]int)
	for id, ds := range there {
		counts[id] = len(ds)
	}
	l.check(counts)
	return there
}

// rested checks that nothing is left behind of a bad day.
func (r *rig) rested(t *testing.T) {
	t.Helper()
	const some = 20
	var goroutines, files, toRedis, toRabbit int
	ok := edge.Within(30*time.Second, func() bool {
		goroutines, files = r.countGoroutines(t), r.countFiles(t)
		toRedis, toRabbit = r.toRedis.Connections(), r.toRabbit.Connections()
		return goroutines <= r.goroutines+some && files <= r.opened+some && toRedis <= 16 && toRabbit == 2
	})
	text := fmt.Sprintf("%d goroutines after %d, %d files after %d, %d connections to Redis, %d to RabbitMQ",
		goroutines, r.goroutines, files, r.opened, toRedis, toRabbit)
	if !ok {
		t.Errorf("left behind: %s\n%.8000s", text, r.goroutineProfile(t))
	}
	// A hook that publishes all the same has normal service before its store has.
	var a answer
	if !edge.Within(10*time.Second, func() bool { a = get(t, r.Edge, "/readyz"); return a.status == 200 }) {
		t.Errorf("it is not ready: %s", a.raw)
	}
}

// goroutineProfile says where the goroutines of the edge are, the most frequent
// stack first.
func (r *rig) goroutineProfile(t *testing.T) string {
	t.Helper()
	profile, err := r.AdminRead("/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

func (r *rig) countGoroutines(t *testing.T) int {
	t.Helper()
	head, _, _ := strings.Cut(r.goroutineProfile(t), "\n")
	n, err := strconv.Atoi(head[strings.LastIndex(head, " ")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r *rig) countFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.PID()))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
