package integration

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/servers"
)

// Senders far away, which keep their connections: when a config is replaced, a
// request of theirs may be on its way while its connection is closed.
func TestAReloadLetsSendersLeaveTheirConnections(t *testing.T) {
	good := func(n int) string {
		return strings.Replace(site(patientHook()), "respond 404", fmt.Sprintf("header X-Config %d\n\trespond 404", n), 1)
	}
	s := start(t, good(0))
	proxy := servers.NewProxy(t, strings.TrimPrefix(s.URL(""), "http://"))
	proxy.Latency(25 * time.Millisecond)
	var (
		stop     = make(chan struct{})
		senders  sync.WaitGroup
		answered atomic.Int64
	)
	for n := range 8 {
		senders.Go(func() {
			for i := 0; ; {
				var err error
				if i, err = keepSending(proxy.Addr, fmt.Sprintf("far-%d", n), i, stop, &answered); err != nil {
					t.Errorf("sender %d: %v", n, err)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for n := range 6 {
		before := answered.Load()
		eventually(t, time.Minute, "events are taken", func() bool { return answered.Load() > before+50 })
		if err := s.Reload(good(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	senders.Wait()
}

// keepSending sends events on one connection for as long as it lasts. It returns
// the number of the next event, and an error where an event got no answer.
func keepSending(addr, prefix string, i int, stop <-chan struct{}, answered *atomic.Int64) (int, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return i, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	answers := bufio.NewReader(conn)
	for ; ; i++ {
		select {
		case <-stop:
			return i, nil
		default:
		}
		body := payload(fmt.Sprintf("%s-%d", prefix, i))
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", hookPath, len(body), body); err != nil {
			return i, err
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return i, fmt.Errorf("event %d got no answer: %w", i, err)
		}
		if resp.StatusCode != http.StatusAccepted {
			return i, fmt.Errorf("event %d: %s", i, resp.Status)
		}
		answered.Add(1)
		if _, err := answers.Discard(int(resp.ContentLength)); err != nil {
			return i, err
		}
		if resp.Close {
			return i + 1, nil
		}
	}
}
