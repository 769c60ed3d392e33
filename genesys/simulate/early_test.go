package simulate

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// oversizedRun sends only bodies that are too large, many of them far too
// large for the buffers of a connection.
func oversizedRun(url string) Options {
	return Options{
		URL: url, Count: 60, Oversized: 1, Chunked: 0.5, Concurrency: 4, Seed: 3,
		MaxBody: 2 << 20, Deadline: 5 * time.Second,
	}
}

func TestAnswersBeforeTheBodyWasSentAreRead(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { problemAnswer(w, 413, "body_too_large") })
	for name, start := range map[string]func(t *testing.T) (string, Options){
		"from net/http": func(t *testing.T) (string, Options) {
			server := httptest.NewServer(refuse)
			t.Cleanup(server.Close)
			return server.URL, Options{}
		},
		"from net/http over TLS": func(t *testing.T) (string, Options) {
			server := httptest.NewTLSServer(refuse)
			t.Cleanup(server.Close)
			return server.URL, Options{Insecure: true}
		},
		"from net/http over HTTP/2": func(t *testing.T) (string, Options) {
			server := httptest.NewUnstartedServer(refuse)
			server.EnableHTTP2 = true
			server.StartTLS()
			t.Cleanup(server.Close)
			return server.URL, Options{Insecure: true, HTTP2: true}
		},
		"from a server that closes with the body unread": func(t *testing.T) (string, Options) {
			return abruptServer(t), Options{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, o := start(t)
			all := oversizedRun(url)
			all.Insecure, all.HTTP2 = o.Insecure, o.HTTP2
			report := mustRun(t, all)
			if got := countOf(report, Oversized, 413, "body_too_large"); got != 60 || !report.OK() {
				t.Errorf("%d of 60 answers were read: %s\n%s", got, report.Verdict(), strings.Join(report.Notes(), "\n"))
			}
		})
	}
}

// abruptServer reads the header, answers and closes at once, which resets the
// connection because the body is still coming.
func abruptServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					if strings.TrimSpace(line) == "" {
						break
					}
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"+
					"Content-Length: 25\r\n\r\n{\"code\":\"body_too_large\"}")
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestSlowBodiesArriveInPieces(t *testing.T) {
	var reads, longest atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun, buffer := time.Now(), make([]byte, 4096)
		for {
			n, err := r.Body.Read(buffer)
			if n > 0 {
				reads.Add(1)
			}
			if err != nil {
				break
			}
		}
		longest.Store(max(longest.Load(), int64(time.Since(begun))))
		statusAnswer(w, 202, "accepted")
	}))
	defer server.Close()
	for name, chunked := range map[string]float64{"with a Content-Length": 0, "in chunks": 1} {
		t.Run(name, func(t *testing.T) {
			reads.Store(0)
			longest.Store(0)
			report := mustRun(t, Options{URL: server.URL, Count: 1, Slow: 1, Chunked: chunked, Deadline: 100 * time.Millisecond})
			if n := reads.Load(); n < 10 {
				t.Errorf("the body came in %d pieces", n)
			}
			if d := time.Duration(longest.Load()); d < 200*time.Millisecond {
				t.Errorf("the body took %v, the deadline was 100ms", d)
			}
			// This server waits for the whole body: it does not keep its promise.
			if report.Late != 1 || report.OK() {
				t.Errorf("%d late: %s", report.Late, report.Verdict())
			}
		})
	}
}

func TestAFailedWriteWaitsForTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		_ = far.Close()
		conn := newPatientConn(near)
		result := make(chan error, 1)
		go func() {
			_, err := conn.Write([]byte("body"))
			result <- err
		}()
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("the write ended with %v while an answer might still be read", err)
		default:
		}
		_ = conn.Close()
		_ = conn.Close()
		if err := <-result; err == nil {
			t.Error("the write that failed is said to have gone well")
		}
	})
}

func TestAnAnswerWhoseBodyDoesNotEndIsNone(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(202)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	report := mustRun(t, Options{URL: url, Count: 1, Deadline: 50 * time.Millisecond, Timeout: 100 * time.Millisecond})
	if report.Silent != 1 || report.OK() {
		t.Errorf("%d silent: %s", report.Silent, report.Verdict())
	}
}

func TestGoodEventsNeverShareAConnectionWithOversizedBodies(t *testing.T) {
	var mu sync.Mutex
	used := map[string]map[bool]bool{} // by the sender's address: good, oversized
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		if used[r.RemoteAddr] == nil {
			used[r.RemoteAddr] = map[bool]bool{}
		}
		used[r.RemoteAddr][len(body) > 2000] = true
		mu.Unlock()
		statusAnswer(w, 202, "accepted")
	})
	mustRun(t, Options{URL: url, Count: 60, Oversized: 0.5, MaxBody: 2000, Concurrency: 2, Deadline: 5 * time.Second})
	for address, kinds := range used {
		if len(kinds) == 2 {
			t.Errorf("%s sent both", address)
		}
	}
	if len(used) > 8 {
		t.Errorf("%d connections for 60 events: they are not kept", len(used))
	}
}
