package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
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
	d := &downstream{keys: map[string]int{}, answer: always(http.StatusOK)}
	d.deaf(http.StatusUnauthorized)
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	publishAll(t, q, "e", 300)
	out, _ := begin(t, nil, "--queue", broker.URL(), "--inbox", "redis://"+redis.Addr, "--forward", down.URL, "--prefix", "expired", "--retry", "1s,2s")
	eventually(t, "the outage is seen", func() bool {
		return out.field("the downstream counts as down: one event at a time is tried until one succeeds", "status") == "401"
	})
	time.Sleep(5 * time.Second) // longer than all tiers together
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

func TestAConsumerThatIsKilledUnderLoadLosesNothing(t *testing.T) {
	broker, redis := rabbit(t), servers.StartRedis(t)
	t.Parallel()
	q := publisher(t, broker, "killed")
	d := &downstream{keys: map[string]int{}, answer: always(http.StatusOK)}
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	const events = 3000
	publishing := make(chan struct{})
	go func() { defer close(publishing); publishAll(t, q, "k", events) }()
	args := []string{"--queue", broker.URL(), "--inbox", "redis://" + redis.Addr, "--forward", down.URL, "--prefix", "killed", "--retry", "1s,2s"}
	for i := range 10 {
		p := process(t, "main", args...)
		before := d.got()
		eventually(t, "some have come", func() bool { return d.got() > before || d.got() == events })
		time.Sleep(time.Duration(i*20) * time.Millisecond)
		signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[i%2]
		err := p.end(signal)
		if signal == syscall.SIGTERM && err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
	}
	<-publishing
	process(t, "main", args...)
	eventually(t, "all have come", func() bool { return d.got() == events })
	eventually(t, "nothing is left", func() bool {
		n, err := q.Counts(context.Background())
		return err == nil && n.Ready == 0 && n.Dead == 0
	})
	// The downstream takes each key once. More than the concurrency may not
	// have come again for each kill.
	again := 0
	for _, n := range d.keys {
		again += n - 1
	}
	if again > 5*8 {
		t.Errorf("%d came again", again)
	}
}

func TestAPoisonMessageTakesNobodyWithIt(t *testing.T) {
	broker, redis := rabbit(t), servers.StartRedis(t)
	t.Parallel()
	q := publisher(t, broker, "poison")
	d := &downstream{keys: map[string]int{}, answer: always(http.StatusOK)}
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
