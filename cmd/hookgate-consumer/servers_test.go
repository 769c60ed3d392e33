package main

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/servers"
)

// TestServersThatStandStillOrAreKilledCostNoEvent has one consumer that
// forwards, with an inbox in Redis, and one that writes to PostgreSQL. While
// events come, a server after the other is stopped, and one after the other
// killed.
func TestServersThatStandStillOrAreKilledCostNoEvent(t *testing.T) {
	broker, err := servers.NewRabbitMQ(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	t.Parallel()
	redis := servers.StartRedis(t)
	db, flags, rows := database(t)
	d := newDownstream()
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	forwarded, written := publisher(t, broker, "forwarded"), publisher(t, broker, "written")
	args := append([]string{"--queue", broker.URL(), "--timeout", "3s"}, short...)
	process(t, "quick", append(args, "--prefix", "forwarded", "--forward", down.URL, "--inbox", "redis://"+redis.Addr)...)
	process(t, "quick", append(append(args, "--prefix", "written"), flags("")...)...)

	restart := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	const events = 400 // of each kind, a day
	for i, day := range []struct {
		name       string
		begin, end func()
		stalls     func() int // what stands still meanwhile; nil where it shows at once
	}{
		{"RabbitMQ stands still", func() { broker.Signal(t, syscall.SIGSTOP) }, func() { broker.Signal(t, syscall.SIGCONT) }, d.got},
		{"Redis stands still", redis.Suspend, redis.Resume, d.got},
		{"PostgreSQL stands still", func() { db.Suspend(t) }, func() { db.Resume(t) }, nil},
		{"RabbitMQ is killed", broker.Kill, func() { restart(broker.Start()) }, nil},
		{"Redis is killed, and has forgotten all", redis.Kill, redis.Restart, d.got},
		{"PostgreSQL is killed", db.Kill, func() { restart(db.Start()) }, nil},
	} {
		before := i * events
		var publishing sync.WaitGroup
		publishing.Go(func() { publishAll(t, forwarded, fmt.Sprint("f", i, "-"), events) })
		publishing.Go(func() { publishAll(t, written, fmt.Sprint("w", i, "-"), events) })
		eventually(t, day.name+": some have come", func() bool { return d.got() > before+20 && rows("%") > before+20 })
		day.begin()
		if day.stalls != nil {
			last, since := -1, time.Now()
			eventually(t, day.name+": nothing comes", func() bool {
				if n := day.stalls(); n != last {
					last, since = n, time.Now()
				}
				return time.Since(since) > time.Second
			})
		}
		day.end()
		publishing.Wait()
		eventually(t, day.name+": all have come", func() bool { return d.got() == before+events && rows("%") == before+events })
	}
	for _, prefix := range []string{"forwarded", "written"} {
		eventually(t, "nothing is left", func() bool { return waiting(t, broker, prefix) == 0 })
	}
	if f, w := dead(t, forwarded), dead(t, written); f+w != 0 {
		t.Errorf("%d and %d dead letters", f, w)
	}
}
