package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// downstream is a service that events are forwarded to. What it answers depends
// on the event ID.
type downstream struct {
	*httptest.Server

	mu    sync.Mutex
	seen  map[string]int // requests, by Idempotency-Key
	where map[string]http.Header
}

func newDownstream(t *testing.T) *downstream {
	d := &downstream{seen: make(map[string]int), where: make(map[string]http.Header)}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Idempotency-Key")
		d.mu.Lock()
		d.seen[id]++
		n := d.seen[id]
		d.where[id] = r.Header
		d.mu.Unlock()
		switch {
		case strings.HasPrefix(id, "unwanted"):
			w.WriteHeader(http.StatusUnprocessableEntity)
		case strings.HasPrefix(id, "hopeless"), strings.HasPrefix(id, "late") && n < 3:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *downstream) times(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[id]
}

func TestTheEdgeProcessesWhatItTakes(t *testing.T) {
	down := newDownstream(t)
	caddyfile := fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
		consumer {
			forward %s/in {
				header X-From hookgate
			}
			retry 1s 2s
		}
	}
}

http://:$PORT {
	bind 127.0.0.1
	%s
	respond 404
}
`, down.URL, patientHook())
	s := start(t, caddyfile)
	for _, id := range []string{"good", "late", "unwanted", "hopeless"} {
		if a := s.post(payload(id)); a.status != 202 {
			t.Fatalf("%s: %d %s", id, a.status, a.raw)
		}
	}
	var q struct{ Ready, Dead int }
	eventually(t, 30*time.Second, "all is processed or a dead letter", func() bool {
		s.AdminGet("/hookgate/queue", &q)
		return q.Ready == 0 && q.Dead == 2 && down.times("late") == 3
	})
	for id, want := range map[string]int{"good": 1, "late": 3, "unwanted": 1, "hopeless": 3} {
		if n := down.times(id); n != want {
			t.Errorf("%s was sent %d times, want %d", id, n, want)
		}
	}
	if h := down.where["late"]; h.Get("X-From") != "hookgate" || h.Get("X-Hookgate-Hook") != "pe-action-map" || h.Get("X-Hookgate-Attempt") != "3" {
		t.Errorf("sent with %v", h)
	}
	eventually(t, 30*time.Second, "the metrics say the same", func() bool {
		metrics, err := s.AdminRead("/metrics")
		for _, line := range []string{
			`hookgate_dead_letters{kind="permanent"} 1`, `hookgate_dead_letters{kind="exhausted"} 1`, `hookgate_dead_letters{kind="conflict"} 0`,
			`hookgate_queue_oldest_seconds{state="ready"} 0`, `hookgate_queue_oldest_seconds{state="due"} 0`,
		} {
			if !strings.Contains(metrics, line+"\n") {
				return false
			}
		}
		return err == nil
	})
	// A reload changes hands: nothing is processed twice, and it goes on.
	if err := s.Reload(caddyfile); err != nil {
		t.Fatal(err)
	}
	if a := s.post(payload("good-2")); a.status != 202 {
		t.Fatalf("after a reload: %d %s", a.status, a.raw)
	}
	eventually(t, 30*time.Second, "it is processed", func() bool { return down.times("good-2") == 1 })
	if n := down.times("good"); n != 1 {
		t.Errorf("good was sent %d times after a reload", n)
	}
}

// While the downstream is down the file fills up, and the inbox is in it.
func TestAFullStoreIsEmptiedWhenTheDownstreamIsBack(t *testing.T) {
	var up atomic.Bool
	var mu sync.Mutex
	processed := make(map[string]int)
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		processed[r.Header.Get("Idempotency-Key")]++
	}))
	t.Cleanup(down.Close)
	s := start(t, fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
		queue embedded {
			max_size 2MiB
		}
		consumer {
			forward %s
			retry 1s 2s
		}
	}
}

http://:$PORT {
	bind 127.0.0.1
	%s
	respond 404
}
`, down.URL, patientHook()))
	var taken []string
	for full := false; !full; {
		id := fmt.Sprint("full", len(taken))
		a := s.post(sized(id, 20000))
		switch full = a.code() == "queue_unavailable"; {
		case a.status == 202:
			taken = append(taken, id)
		case !full:
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	up.Store(true)
	eventually(t, time.Minute, "all that was taken is processed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(processed) == len(taken)
	})
	eventually(t, 30*time.Second, "there is room again", func() bool { return s.post(payload("next")).status == 202 })
}
