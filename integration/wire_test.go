package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// latest is when an answer must be there: the budget of 500 ms, and some room.
const latest = 950 * time.Millisecond

// soon is when an answer must be there that waits for nothing, where the hook
// has a budget of 5 s.
const soon = 2500 * time.Millisecond

// onTime makes attempts until one takes no longer than latest. A busy machine
// may be late a few times, and a program that waits is late each time. None may
// take less than the given time.
func onTime(t *testing.T, earliest time.Duration, attempt func()) {
	t.Helper()
	var took time.Duration
	for range 5 {
		begin := time.Now()
		attempt()
		if took = time.Since(begin); took < earliest {
			t.Errorf("answered after %s", took)
		}
		if took <= latest || t.Failed() {
			return
		}
	}
	t.Errorf("answered after %s, five times", took)
}

// wire is a connection on which a test writes what it likes.
type wire struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (s *server) dial() *wire {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.HTTP)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &wire{t: s.t, Conn: conn, r: bufio.NewReader(conn)}
}

func (w *wire) write(s string) {
	w.t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) read() answer {
	w.t.Helper()
	resp, err := http.ReadResponse(w.r, nil)
	if err != nil {
		w.t.Fatalf("no answer: %v", err)
	}
	a, err := read(resp)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// closed waits until the other side has closed.
func (w *wire) closed() {
	w.t.Helper()
	if _, err := io.Copy(io.Discard, w.r); errors.Is(err, errTimeout(err)) {
		w.t.Fatalf("the connection is still open: %v", err)
	}
}

// errTimeout returns err if it is a timeout.
func errTimeout(err error) error {
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return err
	}
	return errors.New("not a timeout")
}

func head(length string) string {
	return "POST " + hookPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + length + "\r\n"
}

func withLength(body string) string {
	return head(fmt.Sprintf("Content-Length: %d\r\n", len(body))) + body
}

func TestASlowBodyIsAnsweredInTime(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath))
	for _, tc := range []struct{ name, length string }{
		{"with a declared length", "Content-Length: 5000\r\n"},
		{"in chunks", "Transfer-Encoding: chunked\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var w *wire
			onTime(t, 400*time.Millisecond, func() {
				w = s.dial()
				w.write(head(tc.length))
				if strings.Contains(tc.length, "chunked") {
					w.write("5\r\n{\"a\":\r\n")
				} else {
					w.write(`{"a":`)
				}
				a := w.read()
				if a.status != 504 || a.code() != "deadline_exceeded" {
					t.Errorf("got %d %s", a.status, a.raw)
				}
			})
			w.closed()
		})
	}
	eventually(t, 30*time.Second, "an event after slow ones is taken", func() bool { return s.post(payload("after")).status < 300 })
}

func TestABodyThatBreaksOffIsNeverTaken(t *testing.T) {
	s := start(t, site(patientHook()))
	w := s.dial()
	w.write(head("Content-Length: 5000\r\n") + payload("lying"))
	_ = w.Conn.(*net.TCPConn).CloseWrite()
	if a := w.read(); a.status != 400 || a.code() != "invalid_json" {
		t.Errorf("a length that is too long: got %d %s", a.status, a.raw)
	}
	w = s.dial()
	w.write(head("Content-Length: 20\r\n") + payload("short"))
	if a := w.read(); a.status != 400 {
		t.Errorf("a length that is too short: got %d %s", a.status, a.raw)
	}
	w = s.dial()
	w.write(head("Content-Length: 70000\r\n") + payload("declared"))
	if a := w.read(); a.status != 413 || a.code() != "body_too_large" {
		t.Errorf("a length over the cap: got %d %s", a.status, a.raw)
	}
	if q := s.queue(); q.Ready+q.Dead != 0 {
		t.Errorf("the queue holds %+v", q)
	}
}

func TestAnAnswerDoesNotWaitForAnUnreadBody(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath))
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"a wrong method", "PUT " + hookPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", 405},
		{"a wrong media type", "POST " + hookPath + " HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\n", 415},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onTime(t, 0, func() {
				w := s.dial()
				w.write(tc.request)
				if a := w.read(); a.status != tc.status {
					t.Errorf("got %d %s", a.status, a.raw)
				}
			})
		})
	}
}

func TestRequestsMayBePipelined(t *testing.T) {
	s := start(t, site(patientHook()))
	w := s.dial()
	w.write(withLength(payload("p1")) + withLength(payload("p2")) + withLength("{") + withLength(payload("p1")))
	for i, want := range []string{"accepted", "accepted", "invalid_json", "duplicate"} {
		if a := w.read(); a.code() != want {
			t.Errorf("answer %d is %d %s, want %s", i+1, a.status, a.raw, want)
		}
	}
}

// Some close their half of the connection behind the body, and wait.
func TestAnEventIsTakenThoughItsSenderHasClosedItsHalf(t *testing.T) {
	s := start(t, site(patientHook()))
	for i := range 20 {
		w := s.dial()
		w.write(withLength(payload(fmt.Sprint("half", i))))
		if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if a := w.read(); a.status != 202 || a.code() != "accepted" {
			t.Errorf("got %d %s", a.status, a.raw)
		}
	}
}

func TestAKeptConnectionServesAfterAnIdleTimeLongerThanTheBudget(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath+" {\n\t\ttimeout 2s\n\t}"))
	w := s.dial()
	for i := range 2 {
		if i > 0 {
			idle := time.NewTimer(2500 * time.Millisecond) // longer than the budget
			<-idle.C
		}
		w.write(withLength(payload(fmt.Sprint("k", i))))
		if a := w.read(); a.status != 202 {
			t.Fatalf("request %d: %s", i+1, a.raw)
		}
	}
}

func TestExpectContinueIsAnswered(t *testing.T) {
	s := start(t, site(patientHook()))
	w := s.dial()
	body := payload("expect")
	w.write(head(fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue\r\n", len(body))))
	line, err := w.r.ReadString('\n')
	if err != nil || !strings.Contains(line, "100") {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := w.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	w.write(body)
	if a := w.read(); a.status != 202 {
		t.Errorf("got %d %s", a.status, a.raw)
	}
}

func TestSlowHeadersAreCut(t *testing.T) {
	s := start(t, site(patientHook(), `servers {
		timeouts {
			read_header 500ms
		}
	}`))
	w := s.dial()
	begin := time.Now()
	w.write("POST " + hookPath + " HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	w.closed()
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("cut after %s", took)
	}
	eventually(t, 30*time.Second, "an event is taken", func() bool { // its own header may be late too
		a, err := send(httpClient, s.URL(hookPath), strings.NewReader(payload("after")))
		return err == nil && a.status < 300
	})
}

func TestAFloodOfRequestsIsShedAtOnce(t *testing.T) {
	s := start(t, site(patientHook("max_in_flight 2")))
	eventually(t, 30*time.Second, "a third is refused", func() bool {
		s.dial().write(head("Content-Length: 100\r\n")) // one that sends nothing holds a place
		begin := time.Now()
		a := s.post(payload("shed"))
		if a.code() == "overloaded" {
			if a.status != 503 || a.header.Get("Retry-After") == "" || time.Since(begin) > soon {
				t.Errorf("got %d %s after %s", a.status, a.raw, time.Since(begin))
			}
			return true
		}
		return false
	})
	eventually(t, 30*time.Second, "their places are free again", func() bool {
		return s.post(payload("free")).status < 300
	})
}
