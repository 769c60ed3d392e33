package integration

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// journal is what a sender was told about each event.
type journal struct {
	mu    sync.Mutex
	acked map[string]bool // answered with a 2xx
}

func (j *journal) ack(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.acked == nil {
		j.acked = map[string]bool{}
	}
	j.acked[id] = true
}

func (j *journal) snapshot() map[string]bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.acked)
}

// load sends events from several senders until stop is closed. Each sends an
// event again, with the same ID, until it has a 2xx for it.
func (s *server) load(senders int, prefix string, fresh bool, stop <-chan struct{}, j *journal, failed func(string)) *sync.WaitGroup {
	var wg sync.WaitGroup
	for n := range senders {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: fresh}, Timeout: 5 * time.Second}
			defer client.CloseIdleConnections()
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", prefix, n, i)
				for done := false; !done; {
					select {
					case <-stop:
						return
					default:
					}
					a, err := send(client, s.URL(hookPath), strings.NewReader(payload(id)))
					switch {
					case err != nil:
						failed(err.Error())
						pause(stop)
					case a.status < 300:
						j.ack(id)
						done = true
					default:
						failed(fmt.Sprint(a.status, " ", a.code()))
						pause(stop)
					}
				}
			}
		})
	}
	return &wg
}

// pause keeps a sender from using up a processor on a server that is away.
func pause(stop <-chan struct{}) {
	select {
	case <-stop:
	case <-time.After(10 * time.Millisecond):
	}
}

// checkQueue holds the queue against a journal: every acknowledged event is
// there, and each once.
func (s *server) checkQueue(acked map[string]bool) {
	s.t.Helper()
	seen := map[string]int{}
	for _, e := range s.events("ready") {
		seen[e.EventID]++
	}
	lost, twice := 0, 0
	for id := range acked {
		if seen[id] == 0 {
			lost++
		}
	}
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	if lost > 0 || twice > 0 {
		s.t.Errorf("of %d acknowledged events %d are lost, and %d of %d are there more than once", len(acked), lost, twice, len(seen))
	}
}

func ignore(string) {}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	s := start(t, site(patientHook()))
	var j journal
	for round := range 20 {
		before := len(j.snapshot())
		stop := make(chan struct{})
		wg := s.load(8, fmt.Sprint("k", round), false, stop, &j, ignore)
		eventually(t, time.Minute, "events are accepted", func() bool { return len(j.snapshot()) > before+50+round*7 })
		s.Kill()
		close(stop)
		wg.Wait()
		s.Run()
	}
	s.checkQueue(j.snapshot())
	if a := s.post(payload("k0-0-0")); a.code() != "duplicate" {
		t.Errorf("the first event again: %s", a.raw)
	}
}

func TestASecondAttemptAfterAKillIsTakenOnce(t *testing.T) {
	s := start(t, site(patientHook()))
	var j journal
	stop := make(chan struct{})
	wg := s.load(8, "r", false, stop, &j, ignore) // goes on through the kill
	for range 3 {
		before := len(j.snapshot())
		eventually(t, time.Minute, "events are accepted", func() bool { return len(j.snapshot()) > before+50 })
		s.Kill()
		s.Run()
	}
	close(stop)
	wg.Wait()
	s.checkQueue(j.snapshot())
}

func TestSIGTERMUnderLoadDrains(t *testing.T) {
	s := start(t, site(patientHook()))
	var (
		j       journal
		refused atomic.Int64
		stop    = make(chan struct{})
	)
	wg := s.load(8, "t", true, stop, &j, func(why string) {
		// Once nobody listens, connections are refused or reset: nothing was
		// taken and nobody was told so. A refusal with an answer is another
		// thing.
		if !strings.HasPrefix(why, "Post ") && !strings.Contains(why, "draining") {
			refused.Add(1)
			t.Log(why)
		}
	})
	eventually(t, time.Minute, "events are accepted", func() bool { return len(j.snapshot()) > 200 })
	if err := s.Terminate(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
	close(stop)
	wg.Wait()
	if n := refused.Load(); n > 0 {
		t.Errorf("%d requests were refused", n)
	}
	s.Run()
	s.checkQueue(j.snapshot())
}

func TestReloadsUnderLoadFailNoRequest(t *testing.T) {
	good := func(n int) string {
		return strings.Replace(site(patientHook()), "respond 404", fmt.Sprintf("header X-Config %d\n\trespond 404", n), 1)
	}
	s := start(t, good(0))
	for range 50 {
		s.post(payload("warm"))
	}
	before := s.goroutines()

	var (
		j      journal
		stop   = make(chan struct{})
		mu     sync.Mutex
		errors = map[string]int{}
	)
	var cut atomic.Int64
	wg := s.load(4, "l", true, stop, &j, func(why string) {
		// The kernel resets connections whose handshake ends at the moment when
		// the old socket is closed: no request on them was begun.
		if strings.HasPrefix(why, "Post ") {
			cut.Add(1)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		errors[why]++
	})
	for n := range 100 {
		config := good(n + 1)
		if n%4 == 3 {
			config = strings.Replace(config, "data_dir $DIR/data", "data_dir {env.HOOKGATE_NOT_SET}", 1)
		}
		err := s.Reload(config)
		if broken := n%4 == 3; (err != nil) != broken {
			t.Fatalf("reload %d: %v", n, err)
		}
	}
	close(stop)
	wg.Wait()
	if len(errors) > 0 {
		t.Errorf("requests failed: %v", errors)
	}
	if n, all := cut.Load(), len(j.snapshot()); n > 10 { // mostly none, of 100 reloads
		t.Errorf("%d connections were cut before their request was read, beside %d events", n, all)
	}
	if n := s.handles("hookgate.db"); n != 1 {
		t.Errorf("the file is open %d times", n)
	}
	s.checkQueue(j.snapshot())
	eventually(t, time.Minute, "what the old configs held is given back", func() bool { return s.goroutines() <= before+before/10+10 })
}

// goroutines asks the admin API how many goroutines there are.
func (s *server) goroutines() int {
	s.t.Helper()
	profile, err := s.AdminRead("/debug/pprof/goroutine?debug=1")
	if err != nil {
		s.t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscanf(profile, "goroutine profile: total %d", &n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// handles counts the file descriptors of files whose name ends so.
func (s *server) handles(suffix string) int {
	dir := fmt.Sprintf("/proc/%d/fd", s.PID())
	fds, err := os.ReadDir(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && strings.HasSuffix(target, suffix) {
			n++
		}
	}
	return n
}

func TestAFullStoreRefusesAndServesAgain(t *testing.T) {
	bounded := func(size string) string {
		return strings.Replace(site(patientHook()), "data_dir $DIR/data",
			"data_dir $DIR/data\n\t\tqueue embedded {\n\t\t\tmax_size "+size+"\n\t\t}", 1)
	}
	s := start(t, bounded("2MiB"))
	var refused answer
	for i := range 2000 {
		if a := s.post(sized(fmt.Sprint("full", i), 20000)); a.status != 202 {
			refused = a
			break
		}
	}
	if refused.status != 503 || refused.code() != "queue_unavailable" {
		t.Fatalf("when full: %d %s", refused.status, refused.raw)
	}
	checkShape(t, refused)
	if a := s.post(payload("small")); a.status != 503 {
		t.Errorf("a small event when full: %d %s", a.status, a.raw)
	}
	if a := s.post(sized("full0", 20000)); a.code() != "duplicate" {
		t.Errorf("an event that is there, when full: %s", a.raw)
	}
	if err := s.Reload(bounded("64MiB")); err != nil {
		t.Fatal(err)
	}
	if a := s.post(payload("small")); a.status != 202 {
		t.Errorf("with a larger bound: %d %s", a.status, a.raw)
	}
}

func TestAnEventInFlightWhenTheProcessIsStoppedIsAnswered(t *testing.T) {
	s := start(t, site(patientHook()))
	w := s.dial()
	body := payload("inflight")
	w.write(head(fmt.Sprintf("Content-Length: %d\r\n", len(body))) + body[:100])
	eventually(t, 30*time.Second, "the server has read its header", func() bool {
		metrics, err := s.AdminRead("/metrics")
		return err == nil && strings.Contains(metrics, `hookgate_requests_in_flight{hook="pe-action-map"} 1`)
	})
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "nobody is let in any more", func() bool {
		_, err := send(http.DefaultClient, s.URL("/"), nil)
		return err != nil
	})
	w.write(body[100:])
	if a := w.read(); a.status != 202 && a.status != 503 {
		t.Errorf("got %d %s", a.status, a.raw)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
}
