package integration

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Where no hook is, nothing of ours bounds the body: the 404 waits for it.
func TestAStalledBodyOnAWrongPathIsCutOff(t *testing.T) {
	s := start(t, site("\trespond 404"))
	sam := s.localize(readFile(t, "../Caddyfile"))
	if err := s.loadJSON(sam.config); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+sam.ports["8080"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begin := time.Now()
	_ = conn.SetDeadline(begin.Add(40 * time.Second))
	if _, err := io.WriteString(conn, "POST /wrong HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nstalled"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer after %s: %v", time.Since(begin), err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %d", resp.StatusCode)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("the connection is still open: %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second { // Caddy's own bound is a minute
		t.Errorf("it took %s", took)
	}
}
