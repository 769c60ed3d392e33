package outage

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// Three nodes replicate the queues. One of them may go at any time, the leader
// too; without two nothing is taken, and nothing is lost.
func TestAClusterGoesOnWithoutItsLeaderAndComesBackAfterItsMajority(t *testing.T) {
	c, err := servers.NewCluster(t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	service := newCounter(t)
	r := &rig{prefix: newPrefix()}
	kept := r.prefix + ".kept" // no consumer takes its events
	ch := channelTo(t, c.Nodes[0], "/")
	if _, err := ch.QueueDeclare(kept, true, false, false, false, map[string]any{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	r.Edge = start(t, setup{
		rabbit: c.Nodes[0].Addr + " " + c.Nodes[1].Addr + " " + c.Nodes[2].Addr, prefix: r.prefix,
		consumer: "consumer {\n\t\t\tforward " + service.url + "\n\t\t\tinbox embedded\n\t\t}",
		hooks:    "genesys_webhook\n\tgenesys_webhook /kept {\n\t\tname kept\n\t\tqueue " + kept + "\n\t}",
	})
	begin := time.Now()
	for queue, n := range c.Members(t, c.Nodes[0]) {
		if n != len(c.Nodes) {
			t.Errorf("%s is on %d nodes", queue, n)
		}
	}
	edge.Eventually(t, time.Minute, "the queues are old enough", func() bool { return time.Since(begin) > young })

	calm := func(l *load) { l.pace, l.bound = 50*time.Millisecond, 3*time.Second } // five programs share the machine
	processed, waiting := startLoad(t, r.Edge, hookPath, "processed", calm), startLoad(t, r.Edge, "/kept", "waiting", calm)
	both := func(what string, holds func(*load) bool) {
		t.Helper()
		edge.Eventually(t, time.Minute, what, func() bool { return holds(processed) && holds(waiting) })
	}
	both("it begins well", func(l *load) bool { return l.seen("accepted") > 50 })
	r.goroutines, r.opened = r.countGoroutines(t), r.countFiles(t)

	leader, others := c.Leader(t, c.Nodes[0], r.queue())
	leader.Kill()
	processed.serves(20 * time.Second)
	waiting.serves(20 * time.Second)
	others[0].Kill()
	both("nothing is taken", func(l *load) bool { return l.seen("queue_unavailable") > 50 })
	if err := c.Start(leader, others[0]); err != nil {
		t.Fatal(err)
	}
	processed.serves(20 * time.Second)
	waiting.serves(20 * time.Second)
	processed.settle()
	waiting.settle()

	edge.Eventually(t, time.Minute, "all is processed", func() bool { return service.has(processed) })
	processed.check(service.counts())
	counts := make(map[string]int)
	for id, ds := range take(t, channelTo(t, leader, "/"), kept) {
		counts[id] = len(ds)
	}
	waiting.check(counts)
	const some = 20
	var goroutines, files int
	if !edge.Within(30*time.Second, func() bool {
		goroutines, files = r.countGoroutines(t), r.countFiles(t)
		return goroutines <= r.goroutines+some && files <= r.opened+some &&
			metric(t, r.Edge, `hookgate_rabbitmq_connections{state="open"}`) == 2
	}) {
		t.Errorf("left behind: %d goroutines after %d, %d files after %d\n%.6000s", goroutines, r.goroutines, files, r.opened, r.goroutineProfile(t))
	}
}

// counter is a service that events are forwarded to, and that counts them.
type counter struct {
	url string

	mu   sync.Mutex
	seen map[string]int // by event ID
}

func newCounter(t *testing.T) *counter {
	c := &counter{seen: make(map[string]int)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seen[r.Header.Get("Idempotency-Key")]++
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// counts returns how often each event came.
func (c *counter) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen)
}

// has reports whether all events of a load have come that were taken.
func (c *counter) has(l *load) bool {
	seen := c.counts()
	for id, f := range l.events {
		if f.taken && seen[id] == 0 {
			return false
		}
	}
	return true
}
