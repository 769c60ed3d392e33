package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// smuggled is a whole request that must never be one.
func smuggled() string { return withLength(payload("smuggled")) }

// framed is the head of a request to the hook with these header lines, and what
// follows it.
func framed(lines, rest string) string {
	return "POST " + hookPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + lines + "\r\n" + rest
}

// inChunks is a body in one chunk, and its end.
func inChunks(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

// exchange writes what it is given on a connection of its own, and reads answers
// until the other side closes.
func (s *server) exchange(raw string) (statuses []int) {
	s.t.Helper()
	w := s.dial()
	_ = w.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(w, raw) }() // it may be closed on the way
	for {
		resp, err := http.ReadResponse(w.r, nil)
		if err != nil {
			if errors.Is(err, errTimeout(err)) {
				s.t.Error("the connection is still open")
			}
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
	}
}

// Each of these is understood by some server in another way than by some proxy.
// It gets one answer, no success where it contradicts itself, and the end of its
// connection: what follows it there is nobody's request.
func TestNoRequestIsSmuggledBehindAnother(t *testing.T) {
	event := payload("whole")
	length := fmt.Sprintf("Content-Length: %d\r\n", len(event))
	const chunks = "Transfer-Encoding: chunked\r\n"
	s := start(t, site(patientHook()))
	for _, tc := range []struct {
		name, raw string
		want      []int // one of them; none: no answer at all
	}{
		{"a length beside chunks", framed(length+chunks, "0\r\n\r\n"), []int{400}},
		{"chunks beside a length", framed(chunks+"Content-Length: 4\r\n", "0\r\n\r\n"), []int{400}},
		{"two lengths", framed(length+"Content-Length: 0\r\n", event), []int{400}},
		{"two lengths, the first one of nothing", framed("Content-Length: 0\r\n"+length, event), []int{400}},
		{"two lengths in a list", framed(fmt.Sprintf("Content-Length: %d, 0\r\n", len(event)), event), []int{400}},
		{"a length with a plus", framed(fmt.Sprintf("Content-Length: +%d\r\n", len(event)), event), []int{400}},
		{"a negative length", framed("Content-Length: -1\r\n", event), []int{400}},
		{"a length in hexadecimal", framed("Content-Length: 0x10\r\n", event), []int{400}},
		{"a length that overflows", framed("Content-Length: 18446744073709551617\r\n", event), []int{400}},
		{"a length with a space in it", framed("Content-Length: 1 0\r\n", event), []int{400}},
		{"an empty length", framed("Content-Length:\r\n", event), []int{400}},
		{"a length on two lines", framed("Content-Length: 1\r\n 0\r\n", event), []int{400}},
		{"a space before the colon of a length", framed(fmt.Sprintf("Content-Length : %d\r\n", len(event)), event), []int{400}},
		{"a space before the colon of chunks", framed("Transfer-Encoding : chunked\r\n"+length, event), []int{400}},
		{"a tab before the colon of chunks", framed("Transfer-Encoding\t: chunked\r\n"+length, event), []int{400}},
		{"a space before the name", framed(" Transfer-Encoding: chunked\r\n"+length, event)[len("POST "):], []int{400}},
		{"an encoding that is none", framed("Transfer-Encoding: xchunked\r\n"+length, event), []int{501}},
		{"chunks twice", framed("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), []int{501}},
		{"chunks in two fields", framed(chunks+chunks, "0\r\n\r\n"), []int{501}},
		{"chunks and an identity", framed(chunks+"Transfer-Encoding: identity\r\n", "0\r\n\r\n"), []int{501}},
		{"an identity", framed("Transfer-Encoding: identity\r\n"+length, event), []int{501}},
		{"chunks in gzip", framed("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), []int{501}},
		{"chunks in quotes", framed("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), []int{501}},
		{"chunks behind a control character", framed("Transfer-Encoding: \x0bchunked\r\n"+length, event), []int{400, 501}},
		{"chunks before a NUL", framed("Transfer-Encoding: chunked\x00\r\n"+length, event), []int{400, 501}},
		{"chunks in other letters beside a length", framed("tRANSFER-eNCODING: cHUNKED\r\n"+length, "0\r\n\r\n"), []int{400}},
		{"chunks on a second line beside a length", framed("Transfer-Encoding:\r\n chunked\r\n"+length, "0\r\n\r\n"), []int{400}},
		{"chunks behind a bare line feed", framed("X-A: b\nTransfer-Encoding: chunked\r\n"+length, "0\r\n\r\n"), []int{400}},
		{"chunks behind a bare carriage return", framed("X-A: b\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), []int{400}},
		{"two hosts", framed("Host: evil.example\r\n"+length, event), []int{400}},
		{"no host", strings.Replace(framed(length, event), "Host: localhost\r\n", "", 1), []int{400}},
		{"a host with a slash", strings.Replace(framed(length, event), "Host: localhost", "Host: a/b", 1), []int{400}},
		{"a field without a colon", framed("X-A\r\n"+length, event), []int{400}},
		{"a version with a space", strings.Replace(framed(length, event), "HTTP/1.1", "HTTP /1.1", 1), []int{400}},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", nil},
		{"chunks in HTTP/1.0", strings.Replace(framed(chunks+"Connection: keep-alive\r\n", inChunks(event)), "HTTP/1.1", "HTTP/1.0", 1), []int{400}},
		{"a chunk that is longer than it says", framed(chunks, "1\r\n"+event+"\r\n0\r\n\r\n"), []int{400}},
		{"a chunk that is shorter than it says", framed(chunks, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(event)+2, event)), []int{400}},
		{"a chunk of a size that overflows", framed(chunks, "10000000000000001\r\n"+event+"\r\n0\r\n\r\n"), []int{400}},
		{"a chunk of a size with a sign", framed(chunks, fmt.Sprintf("+%x\r\n%s\r\n0\r\n\r\n", len(event), event)), []int{400}},
		{"a chunk of a size with a prefix", framed(chunks, fmt.Sprintf("0x%x\r\n%s\r\n0\r\n\r\n", len(event), event)), []int{400}},
		{"a chunk of no size", framed(chunks, "\r\n"+event+"\r\n0\r\n\r\n"), []int{400}},
		{"a chunk extension with a bare line feed", framed(chunks, fmt.Sprintf("%x;a\n%s\r\n0\r\n\r\n", len(event), event)), []int{400}},
		{"chunks without an end", framed(chunks, fmt.Sprintf("%x\r\n%s\r\n", len(event), event)), []int{400}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.t = t
			got := s.exchange(tc.raw + smuggled())
			if len(got) != min(len(tc.want), 1) || len(got) == 1 && !slices.Contains(tc.want, got[0]) {
				t.Errorf("the answers are %v, want one of %v", got, tc.want)
			}
		})
	}
	s.t = t
	if q := s.queue(); q.Ready+q.Dead != 0 {
		t.Errorf("the queue holds %d events and %d dead letters", q.Ready, q.Dead)
	}
}

// These are whole events, whichever way one reads them; but with chunks the
// connection ends, because a length beside them is not to be seen.
func TestWhatIsUnusualAndWholeIsTakenOnce(t *testing.T) {
	const chunks = "Transfer-Encoding: chunked\r\n"
	s := start(t, site(patientHook()))
	length := func(event string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(event)) }
	for i, tc := range []struct {
		name   string
		raw    func(event string) string
		closed bool
	}{
		{"chunks", func(e string) string { return framed(chunks, inChunks(e)) }, true},
		{"chunks beside a length", func(e string) string { return framed(chunks+length(e), inChunks(e)) }, true},
		{"chunks in other letters", func(e string) string { return framed("TRANSFER-ENCODING: CHUNKED\r\n", inChunks(e)) }, true},
		{"a chunk extension", func(e string) string {
			return framed(chunks, fmt.Sprintf("%x;a=\"b\"\r\n%s\r\n0\r\n\r\n", len(e), e))
		}, true},
		{"a trailer", func(e string) string {
			return framed(chunks, fmt.Sprintf("%x\r\n%s\r\n0\r\nContent-Length: 5\r\n\r\n", len(e), e))
		}, true},
		{"a trailer that makes no sense", func(e string) string {
			return framed(chunks, fmt.Sprintf("%x\r\n%s\r\n0\r\nX A: b\r\n\r\n", len(e), e))
		}, true},
		{"HTTP/1.0", func(e string) string {
			return strings.Replace(framed(length(e)+"Connection: keep-alive\r\n", e), "HTTP/1.1", "HTTP/1.0", 1)
		}, true},
		{"the same length twice", func(e string) string { return framed(length(e)+length(e), e) }, false},
		{"a field on two lines", func(e string) string { return framed("X-A: b\r\n c\r\n"+length(e), e) }, false},
		{"bare line feeds", func(e string) string {
			return strings.ReplaceAll(framed(length(e), ""), "\r\n", "\n") + e
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.t = t
			event := payload(fmt.Sprint("whole", i))
			last := strings.Replace(withLength(payload("next"+fmt.Sprint(i))), "Host: localhost\r\n", "Host: localhost\r\nConnection: close\r\n", 1)
			want := []int{202, 202}
			if tc.closed {
				want = want[:1]
			}
			if got := s.exchange(tc.raw(event) + last); !slices.Equal(got, want) {
				t.Errorf("the answers are %v, want %v", got, want)
			}
		})
	}
	s.t = t
	ids := map[string]int{}
	for _, e := range s.events("ready") {
		ids[e.EventID]++
	}
	for i := range 10 {
		if ids[fmt.Sprint("whole", i)] != 1 {
			t.Errorf("the events are %v", ids)
		}
	}
	if len(ids) != 10+3 {
		t.Errorf("the events are %v", ids)
	}
}

// Beside a hook it is the Caddyfile that must close: production.Caddyfile does.
func TestNoRequestIsSmuggledBehindOneToAWrongPath(t *testing.T) {
	raw := strings.Replace(framed("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), hookPath, "/wrong", 1)
	old := strings.NewReplacer(hookPath, "/wrong", "HTTP/1.1", "HTTP/1.0").Replace(framed("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", ""))
	lines := ambiguous(t)
	s := start(t, site(lines+patientHook()))
	for name, raw := range map[string]string{"a length beside chunks": raw, "chunks in HTTP/1.0": old} {
		if got := s.exchange(raw + smuggled()); !slices.Equal(got, []int{404}) {
			t.Errorf("%s: the answers are %v", name, got)
		}
	}
	if q := s.queue(); q.Ready != 0 {
		t.Errorf("%d events", q.Ready)
	}
	w := s.dial() // what is not ambiguous goes on
	w.write(strings.Replace(withLength("{}"), hookPath, "/wrong", 1) + withLength(payload("next")))
	if a, b := w.read(), w.read(); a.status != 404 || b.status != 202 {
		t.Errorf("got %d and %d", a.status, b.status)
	}
}

// ambiguous returns the lines of production.Caddyfile that close.
func ambiguous(t *testing.T) (lines string) {
	t.Helper()
	scanner := bufio.NewScanner(strings.NewReader(readFile(t, "../deploy/production.Caddyfile")))
	inside := false
	for scanner.Scan() {
		line := scanner.Text()
		inside = inside && line != "}"
		if inside {
			lines += line + "\n"
		}
		if line == "(unambiguous) {" {
			inside = true
		}
	}
	if !strings.Contains(lines, "Connection close") {
		t.Fatal("production.Caddyfile has no snippet (unambiguous)")
	}
	return lines
}
