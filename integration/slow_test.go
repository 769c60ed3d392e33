package integration

import (
	"io"
	"strings"
	"testing"
	"time"
)

// trickle writes byte by byte, each a tick after the last, until it is done or
// the other side has closed.
func trickle(w *wire, s string, tick time.Duration) {
	next := time.NewTicker(tick)
	defer next.Stop()
	for i := range len(s) {
		if _, err := io.WriteString(w, s[i:i+1]); err != nil {
			return
		}
		<-next.C
	}
}

// Each byte comes soon after the last, so that no pause is ever too long.
func TestABodyThatComesByteByByteIsAnsweredInTime(t *testing.T) {
	s := start(t, site("	genesys_webhook "+hookPath))
	for name, request := range map[string]string{
		"with a length": withLength(payload("drip")),
		"in chunks":     head("Transfer-Encoding: chunked\r\n") + strings.Repeat("1\r\nx\r\n", 200),
	} {
		t.Run(name, func(t *testing.T) {
			onTime(t, 400*time.Millisecond, func() {
				w := s.dial()
				at := strings.Index(request, "\r\n\r\n") + 4
				w.write(request[:at])
				go trickle(w, request[at:], 20*time.Millisecond)
				if a := w.read(); a.status != 504 || a.code() != "deadline_exceeded" {
					t.Errorf("got %d %s", a.status, a.raw)
				}
			})
		})
	}
	if q := s.queue(); q.Ready+q.Dead != 0 {
		t.Errorf("the queue holds %+v", q)
	}
}

func TestAHeaderThatComesByteByByteIsCutOff(t *testing.T) {
	s := start(t, site(patientHook(), "servers {\n\t\ttimeouts {\n\t\t\tread_header 1s\n\t\t}\n\t}"))
	w := s.dial()
	begin := time.Now()
	go trickle(w, head("X-Slow: "+strings.Repeat("x", 5000)), 20*time.Millisecond) // 100 s in all
	w.closed()
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("cut off after %s", took)
	}
}

func TestAHeaderThatIsTooLargeIsRefused(t *testing.T) {
	s := start(t, site(patientHook(), "servers {\n\t\tmax_header_size 8KiB\n\t}"))
	w := s.dial()
	w.write(head("X-Large: " + strings.Repeat("x", 20<<10) + "\r\nContent-Length: 0\r\n"))
	if a := w.read(); a.status != 431 {
		t.Errorf("got %d %s", a.status, a.raw)
	}
	w.closed()
}

// Connections that never come to a request take no place of those that do, and
// are gone when their time is over.
func TestManyHalfOpenRequestsKeepNobodyOut(t *testing.T) {
	const each = 150
	s := start(t, site(patientHook("max_in_flight 200"), "servers {\n\t\ttimeouts {\n\t\t\tread_header 5s\n\t\t}\n\t}"))
	var open []*wire
	for range each {
		silent, header, body := s.dial(), s.dial(), s.dial()
		header.write("POST " + hookPath + " HTTP/1.1\r\nHost: x\r\nX-Half: ")
		body.write(head("Content-Length: 60000\r\n") + "{")
		open = append(open, silent, header, body)
	}
	eventually(t, 20*time.Second, "an event is taken among them", func() bool {
		return s.post(payload("among")).status < 300
	})
	for _, w := range open {
		w.closed()
	}
	if a := s.post(payload("after")); a.status != 202 {
		t.Errorf("afterwards: %d %s", a.status, a.raw)
	}
}
