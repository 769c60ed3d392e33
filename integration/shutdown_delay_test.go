package integration

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// aNewSender has no connection yet.
func aNewSender() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

func TestAServerTakesEventsForItsShutdownDelay(t *testing.T) {
	s := start(t, site(patientHook()+"\n\thookgate_health", "shutdown_delay 4s"))
	if a := s.post(payload("before")); a.status != http.StatusAccepted {
		t.Fatal(a.raw)
	}
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	begun, pace := time.Now(), time.NewTicker(20*time.Millisecond)
	defer pace.Stop()
	for n := 0; time.Since(begun) < 2*time.Second; n++ {
		a, err := send(aNewSender(), s.URL(hookPath), strings.NewReader(payload(fmt.Sprint("during-", n))))
		if err != nil {
			t.Fatalf("%s after SIGTERM, event %d: %v", time.Since(begun).Round(time.Millisecond), n, err)
		}
		if a.status != http.StatusAccepted {
			t.Fatal(a.raw)
		}
		<-pace.C
	}
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"unavailable","reasons":["the server is about to stop"]}`} {
		if got := s.get(path); got != want+"\n" {
			t.Errorf("a load balancer is told %s on %s", got, path)
		}
	}
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAReloadHasNoShutdownDelayWhereItsSocketsStay(t *testing.T) {
	config := func(n int) string {
		return strings.Replace(site(patientHook(), "shutdown_delay 20s"), "respond 404", fmt.Sprintf("header X-Config %d\n\trespond 404", n), 1)
	}
	s := start(t, config(0))
	begun := time.Now()
	if err := s.Reload(config(1)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("a reload took %s", took)
	}
}
