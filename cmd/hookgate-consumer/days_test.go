package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// publishAll publishes many events.
func publishAll(t *testing.T, q *rabbitmq.Queue, prefix string, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := g; i < n; i += 8 {
				publish(t, q, fmt.Sprint(prefix, i))
			}
		})
	}
	wg.Wait()
}

// dead returns how many dead letters there are.
func dead(t *testing.T, q *rabbitmq.Queue) int {
	t.Helper()
	n, err := q.Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return n.Dead
}

func TestACredentialThatHasExpiredCostsNoEvent(t *testing.T) {
	broker, redis := rabbit(t), servers.StartRedis(t)
	t.Parallel()
	q := publisher(t, broker, "expired")
	d := newDownstream()
	d.deaf(http.StatusUnauthorized)
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	publishAll(t, q, "e", 300)
	out, _ := begin(t, nil, "--queue", broker.URL(), "--inbox", "redis://"+redis.Addr, "--forward", down.URL, "--prefix", "expired", "--retry", "1s,2s")
	eventually(t, "the outage is seen", func() bool {
		return out.field("the downstream counts as down: one event at a time is tried until one succeeds", "status") == "401"
	})
	eventually(t, "it has tried for longer than all tiers together", func() bool { return out.count("event failed") >= 8 })
	if n := dead(t, q); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	d.deaf(0)
	eventually(t, "all have come", func() bool { return d.got() == 300 })
	for key, n := range d.keys {
		if n != 1 {
			t.Errorf("%s came %d times", key, n)
		}
	}
	if n := dead(t, q); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestAPoisonMessageTakesNobodyWithIt(t *testing.T) {
	broker, redis := rabbit(t), servers.StartRedis(t)
	t.Parallel()
	q := publisher(t, broker, "poison")
	d := newDownstream()
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	args := []string{"--queue", broker.URL(), "--inbox", "redis://" + redis.Addr, "--forward", down.URL, "--prefix", "poison"}

	p := process(t, "poison", args...)
	publishAll(t, q, "warm", 40) // past the careful beginning
	eventually(t, "the first have come", func() bool { return d.got() == 40 })
	publish(t, q, "poison")
	publishAll(t, q, "good", 31)
	deaths := 0
	for deadline := time.Now().Add(2 * time.Minute); dead(t, q) == 0; {
		if time.Now().After(deadline) {
			t.Fatalf("no dead letter after %d deaths", deaths)
		}
		select {
		case <-p.ended:
			deaths++
			p = process(t, "poison", args...)
		case <-time.After(50 * time.Millisecond):
		}
	}
	eventually(t, "the good ones have come", func() bool { return d.got() == 71 })
	if deaths > 22 {
		t.Errorf("it died %d times", deaths)
	}
	var letters []hook.Fault
	entries, err := q.Peek(context.Background(), hook.StateDead, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		letters = append(letters, *e.Fault)
		if e.Event.ID != "poison" || e.Fault.Kind != hook.KindPoison {
			t.Errorf("%s is a dead letter: %s", e.Event.ID, e.Fault.Kind)
		}
	}
	if len(letters) != 1 {
		t.Errorf("%d dead letters", len(letters))
	}
}

func TestADownstreamThatIsDownForLongGetsAllEventsAfterwards(t *testing.T) {
	broker, redis := rabbit(t), servers.StartRedis(t)
	t.Parallel()
	q := publisher(t, broker, "down")
	d := newDownstream()
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody answers there yet
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	const events = 5000
	publishAll(t, q, "d", events)
	args := append([]string{"--queue", broker.URL(), "--inbox", "redis://" + redis.Addr, "--forward", "http://" + addr, "--prefix", "down", "--metrics", "127.0.0.1:0"}, short...)
	out, _ := begin(t, nil, args...)
	eventually(t, "the outage is seen", func() bool {
		return out.field("the downstream counts as down: one event at a time is tried until one succeeds", "fault") != ""
	})
	base := "http://" + out.field("answering /metrics, /healthz and /readyz", "address")
	has := func(line string) bool { _, text := get(t, base+"/metrics"); return strings.Contains(text, line+"\n") }
	if !has(`hookgate_consumer_outage{part="downstream"} 1`) {
		t.Error("no metric says so")
	}
	eventually(t, "it has tried for longer than all tiers together", func() bool { return out.count("event failed") >= 8 })
	if left, dead := waiting(t, broker, "down"), dead(t, q); dead != 0 || left < events-1 {
		t.Errorf("%d wait and %d are dead letters in the outage", left, dead)
	}

	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	down := &httptest.Server{Listener: l, Config: &http.Server{Handler: d}}
	down.Start()
	t.Cleanup(down.Close)
	eventually(t, "all have come", func() bool { return d.got() == events })
	eventually(t, "nothing is left", func() bool { return waiting(t, broker, "down") == 0 })
	if n := dead(t, q); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if again := d.again(); again != 0 {
		t.Errorf("%d came again", again)
	}
	if !has(`hookgate_consumer_outage{part="downstream"} 0`) {
		t.Error("no metric says that it is over")
	}
}
