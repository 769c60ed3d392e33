package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// secureSite is a site with Caddy's own CA.
func secureSite(directives string) string {
	return fmt.Sprintf(`{
	admin $ADMIN
	skip_install_trust
	auto_https disable_redirects
	grace_period 5s
	persist_config off
	servers {
		strict_sni_host on
	}
	hookgate {
		data_dir $DIR/data
	}
}

https://localhost:$PORT {
	bind 127.0.0.1
%s
	respond 404
}
`, directives)
}

// secure starts a server on HTTPS and returns a client for each protocol.
func secure(t *testing.T, directives string) (*server, map[string]*http.Client) {
	t.Helper()
	s := start(t, secureSite(directives))
	addr := s.HTTP

	root := filepath.Join(s.Dir, "caddy", "pki", "authorities", "local", "root.crt")
	eventually(t, time.Minute, "Caddy's CA has a certificate", func() bool {
		_, err := os.Stat(root)
		return err == nil
	})
	pem, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in root.crt")
	}
	config := func() *tls.Config { return &tls.Config{RootCAs: pool, ServerName: "localhost"} }
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	h1 := &http.Transport{TLSClientConfig: config(), DialContext: dial, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	h2 := &http.Transport{TLSClientConfig: config(), DialContext: dial, ForceAttemptHTTP2: true}
	h3 := &http3.Transport{TLSClientConfig: config()}
	t.Cleanup(func() { h1.CloseIdleConnections(); h2.CloseIdleConnections(); h3.Close() })
	_, port, _ := net.SplitHostPort(addr)
	s.HTTP = "localhost:" + port
	clients := map[string]*http.Client{
		"HTTP/1.1": {Transport: h1, Timeout: 30 * time.Second},
		"HTTP/2.0": {Transport: h2, Timeout: 30 * time.Second},
		"HTTP/3.0": {Transport: h3, Timeout: 30 * time.Second},
	}
	for proto, client := range clients { // each has a connection from now on
		eventually(t, time.Minute, "the certificate is there, over "+proto, func() bool {
			resp, err := client.Get("https://" + s.HTTP + "/")
			if err != nil {
				return false
			}
			_, err = read(resp)
			return err == nil
		})
	}
	return s, clients
}

func TestEveryProtocolGetsTheSameAnswers(t *testing.T) {
	s, clients := secure(t, patientHook())
	for proto, client := range clients {
		t.Run(proto, func(t *testing.T) {
			url := "https://" + s.HTTP + hookPath
			for _, tc := range []struct {
				name, body string
				status     int
				code       string
			}{
				{"accepted", payload("id-" + proto), 202, "accepted"},
				{"duplicate", payload("id-" + proto), 200, "duplicate"},
				{"malformed", "{", 400, "invalid_json"},
				{"too large", sized("large", 70000), 413, "body_too_large"},
			} {
				a, err := send(client, url, strings.NewReader(tc.body))
				if err != nil || a.status != tc.status || a.code() != tc.code {
					t.Errorf("%s: got %d %s, %v", tc.name, a.status, a.raw, err)
					continue
				}
				checkShape(t, a)
			}
			req, _ := http.NewRequest(http.MethodGet, url, nil)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if a, err := read(resp); err != nil || a.status != 405 || resp.Proto != proto {
				t.Errorf("GET: %d over %s, %v", a.status, resp.Proto, err)
			}
			a, err := send(client, "https://"+s.HTTP+hookPath+"/", strings.NewReader(payload("path")))
			if err != nil || a.status != 404 {
				t.Errorf("a trailing slash: %d %v", a.status, err)
			}
		})
	}
}

func TestASlowBodyIsAnsweredInTimeOnEveryProtocol(t *testing.T) {
	s, clients := secure(t, "	genesys_webhook "+hookPath)
	for proto, client := range clients {
		t.Run(proto, func(t *testing.T) {
			onTime(t, 400*time.Millisecond, func() {
				body, writer := io.Pipe() // is closed when the client gives up writing
				defer writer.Close()
				go func() { _, _ = io.WriteString(writer, `{"a":`) }()
				a, err := send(client, "https://"+s.HTTP+hookPath, body)
				if err != nil {
					t.Fatal(err)
				}
				if a.status != 504 || a.code() != "deadline_exceeded" {
					t.Errorf("got %d %s", a.status, a.raw)
				}
			})
		})
	}
}

func TestAForeignHostIsNoHook(t *testing.T) {
	s, clients := secure(t, "	genesys_webhook "+hookPath)
	for proto, client := range clients {
		req, _ := http.NewRequest(http.MethodPost, "https://"+s.HTTP+hookPath, strings.NewReader(payload("foreign")))
		req.Host = "evil.example"
		req.Header.Set("Content-Type", "application/json")
		a, err := do(client, req)
		if err == nil && a.status < 400 {
			t.Errorf("%s: %d %s", proto, a.status, a.raw)
		}
	}
}

// On HTTP/2 the requests of others share the connection: an outsider behind
// the same proxy must not close it.
func TestAnOutsiderOnASharedConnectionDoesNotCloseIt(t *testing.T) {
	s, clients := secure(t, `	@out path /out
	genesys_webhook @out {
		name out
		allow 203.0.113.0/24
	}
`+patientHook())
	client := clients["HTTP/2.0"]
	for i := range 5 {
		a, err := send(client, "https://"+s.HTTP+"/out", strings.NewReader(payload("o")))
		if err != nil || a.status != 403 || a.code() != "forbidden" || a.header.Get("Connection") != "" {
			t.Errorf("outsider: %d %s %v", a.status, a.raw, err)
		}
		a, err = send(client, "https://"+s.HTTP+hookPath, strings.NewReader(payload(fmt.Sprint("in", i))))
		if err != nil || a.status != 202 {
			t.Errorf("insider: %d %s %v", a.status, a.raw, err)
		}
	}
}
