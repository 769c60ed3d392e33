package outage

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

// unitTimeout is after what time systemd kills the edge.
func unitTimeout(t *testing.T) time.Duration {
	t.Helper()
	unit, err := os.ReadFile("../../deploy/hookgate.service")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^TimeoutStopSec=(.*)$`).FindSubmatch(unit)
	if m == nil {
		t.Fatal("the unit has no timeout")
	}
	d, err := time.ParseDuration(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAnEdgeWithAConsumerStopsInTimeAlsoWhereNobodyAnswers(t *testing.T) {
	release := make(chan struct{})
	downstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer downstream.Close()
	defer close(release)
	redis := startRedis(t)
	s := startSpooling(t, redis.Addr, "spool\n\t\t}\n\t\tconsumer {\n\t\t\tforward "+downstream.URL+"\n\t\t\tinbox redis redis://"+redis.Addr, patient)
	ids := make(map[string]bool)
	for n := range 12 {
		id := fmt.Sprintf("held-%d", n)
		ids[id] = true
		want(t, s.Edge, hookPath, payload(id), 202, "accepted")
	}
	edge.Eventually(t, time.Minute, "one is at work", func() bool { return metric(t, s.Edge, "hookgate_consumer_in_work") > 0 })
	if raw := get(t, s.Edge, "/readyz").raw; strings.Contains(raw, "consumer") {
		t.Errorf("before anything is down: %s", raw)
	}

	s.toRabbit.StallUp()
	s.toRabbit.StallDown()
	redis.Suspend()
	for n := range 4 { // requests are on their way
		go func() { _, _ = send(http.DefaultClient, s.URL(hookPath), payload(fmt.Sprintf("late-%d", n))) }()
	}
	begin := time.Now()
	err := s.Terminate()
	if took := time.Since(begin); err != nil || took > unitTimeout(t)-2*time.Second {
		t.Errorf("it took %s, and systemd kills it after %s: %v", took, unitTimeout(t), err)
	}
	redis.Resume()
	s.toRabbit.Reset()
	s.toRabbit.Resume()
	edge.Eventually(t, time.Minute, "all that was taken is there", func() bool {
		for _, queue := range []string{".events", ".retry.5s"} {
			for id := range drain(t, "/", s.prefix+queue) {
				delete(ids, id)
			}
		}
		return len(ids) == 0
	})
}
