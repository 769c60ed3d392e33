package outage

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/hookgate/hookgate/genesys/genesystest"
	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// production is deploy/production.Caddyfile on this machine: with other hosts,
// ports and paths, and nothing else changed.
type production struct {
	*edge.Edge
	dir       string // secrets, certificates
	redis     *servers.Redis
	redisTLS  string // host:port
	redisCert servers.Certificate
	https     string // host:port
	health    string // host:port
	clients   map[string]*http.Client
}

func newProduction(t *testing.T) *production {
	t.Helper()
	p := &production{dir: t.TempDir()}
	path := func(name string) string { return filepath.Join(p.dir, name) }
	t.Setenv("SSL_CERT_FILE", secure.authority.File)
	p.redisCert = servers.Certificate{File: path("redis.pem"), Key: path("redis.key")}
	if err := secure.authority.Issue(p.redisCert, "localhost"); err != nil {
		t.Fatal(err)
	}
	ports := servers.FreePorts(t, 3)
	p.redisTLS, p.https, p.health = "localhost:"+ports[0], "localhost:"+ports[1], "127.0.0.1:"+ports[2]
	p.redis = servers.StartRedis(t, "--aclfile", redisUsers(t), "--appendonly", "yes", "--maxmemory", "100mb",
		"--tls-port", ports[0], "--tls-auth-clients", "no", "--tls-ca-cert-file", secure.authority.File,
		"--tls-cert-file", p.redisCert.File, "--tls-key-file", p.redisCert.Key)
	importDefinitions(t, "hookgate-edge", "battery-staple")
	broker.Ctl(t, "set_permissions", "-p", "hooks", rabbitUser, ".*", ".*", ".*") // for the test
	cloud := genesystest.Start(t, genesystest.Options{})
	cloud.SetRanges(append(genesystest.Outbound("data-actions", "127.0.0.1/32"), genesystest.Outbound("open-messaging", "127.0.0.1/32")...)...)
	t.Setenv("HOOKGATE_POSTGRES", startPostgres(t).DSN("hookgate_edge", "postgres"))
	for name, secret := range map[string]string{
		"redis": redisPassword, "rabbitmq": "battery-staple",
		"edge_token": token, "edge_token_old": token + "-old", "om_secret": "0123456789012345678901234567890123456789",
		"genesys_client_id": genesystest.Roleless.ID, "genesys_client_secret": genesystest.Roleless.Secret,
	} {
		if err := os.WriteFile(path(name), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile("../../deploy/production.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	_, rabbit, _ := net.SplitHostPort(secure.addr)
	caddyfile := string(raw)
	for _, c := range [][2]string{
		{"admin unix//run/hookgate/admin.sock", "admin $ADMIN\n\tpersist_config off\n\tskip_install_trust\n\tlocal_certs\n\tdefault_bind 127.0.0.1\n\thttp_port $PORT\n\thttps_port " + ports[1]},
		{"/var/lib/hookgate", "$DIR/data"},
		{"/run/secrets", p.dir},
		{"rediss://redis:6379/0", "rediss://" + p.redisTLS + "/0"},
		{"amqps://rabbit-1:5671/hooks amqps://rabbit-2:5671/hooks", "amqps://localhost:" + rabbit + "/hooks"},
		{"genesys eu-central-1 {", "genesys {\n\t\t\tapi_url " + cloud.APIURL() + "\n\t\t\tlogin_url " + cloud.LoginURL()},
		{"hooks.example.com {", "localhost {"},
		{":9180", ":" + ports[2]},
	} {
		if !strings.Contains(caddyfile, c[0]) {
			t.Fatalf("deploy/production.Caddyfile has no %s", c[0])
		}
		caddyfile = strings.ReplaceAll(caddyfile, c[0], c[1])
	}
	p.Edge = edge.Start(t, program, caddyfile)
	p.clients = p.newClients(t)
	edge.Eventually(t, time.Minute, "it is ready", func() bool { return p.look(t, "/readyz").status == http.StatusOK })
	return p
}

const token = "a-token-of-the-edge-that-is-long-enough"

// look reads a page of the site for machines.
func (p *production) look(t *testing.T, path string) answer {
	t.Helper()
	resp, err := http.Get("http://" + p.health + path)
	if err != nil {
		return answer{}
	}
	a, err := read(resp)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// newClients returns a sender for each protocol, who trusts Caddy's own
// authority.
func (p *production) newClients(t *testing.T) map[string]*http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	edge.Eventually(t, time.Minute, "Caddy's authority is there", func() bool {
		pem, err := os.ReadFile(filepath.Join(p.Dir, "caddy", "pki", "authorities", "local", "root.crt"))
		return err == nil && pool.AppendCertsFromPEM(pem)
	})
	config := func() *tls.Config { return &tls.Config{RootCAs: pool, ServerName: "localhost"} }
	h1 := &http.Transport{TLSClientConfig: config(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}, MaxIdleConnsPerHost: senders}
	h2 := &http.Transport{TLSClientConfig: config(), ForceAttemptHTTP2: true}
	h3 := &http3.Transport{TLSClientConfig: config()}
	t.Cleanup(func() { h1.CloseIdleConnections(); h2.CloseIdleConnections(); h3.Close() })
	return map[string]*http.Client{
		"HTTP/1.1": {Transport: withToken{h1}, Timeout: time.Minute},
		"HTTP/2.0": {Transport: withToken{h2}, Timeout: time.Minute},
		"HTTP/3.0": {Transport: withToken{h3}, Timeout: time.Minute},
	}
}

// withToken sends the secret of the data action with each request.
type withToken struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Edge-Token", token)
	return w.RoundTripper.RoundTrip(r)
}

func (p *production) url(path string) string { return "https://" + p.https + path }

func TestProductionOverTLS(t *testing.T) {
	p := newProduction(t)
	for proto, client := range p.clients {
		t.Run(proto, func(t *testing.T) {
			edge.Eventually(t, time.Minute, "it is answered", func() bool {
				_, err := send(client, p.url("/"), "{}")
				return err == nil
			})
			for _, tc := range []struct {
				body   string
				status int
				code   string
			}{
				{payload("evt-" + proto), 202, "accepted"},
				{payload("evt-" + proto), 200, "duplicate"},
				{"{", 400, "invalid_json"},
				{`{"webhookEventId":"bad-` + proto + `"}`, 202, "parked"},
			} {
				a, err := send(client, p.url(hookPath), tc.body)
				if err != nil || a.status != tc.status || a.code() != tc.code {
					t.Errorf("got %d %s %v, want %d %s", a.status, a.raw, err, tc.status, tc.code)
				}
			}
		})
	}
	edge.Eventually(t, time.Minute, "nothing is left in the spool of a busy machine", func() bool { return p.whole(t) })
	events, dead := drain(t, "hooks", "hookgate.events"), drain(t, "hooks", "hookgate.dead")
	for proto := range p.clients {
		if len(events["evt-"+proto]) == 0 || len(dead["bad-"+proto]) == 0 {
			t.Errorf("%s: there are %d events, %d letters", proto, len(events), len(dead))
		}
	}
	p.examine(t, "")
	t.Setenv("HOOKGATE_AMQP_URL", "amqps://"+rabbitUser+":"+rabbitUser+"@"+secure.addr+"/hooks")
	if out, errs, code := edge.Command(t, program, "queue"); code != 0 || !strings.Contains(out, "ready") {
		t.Errorf("hookgate queue: %d\n%s%s", code, out, errs)
	}
}

// examine runs hookgate doctor, which fails with something in its findings, or
// with nothing.
func (p *production) examine(t *testing.T, wrong string) {
	t.Helper()
	out, errs, code := edge.Command(t, program, "doctor", "--config", filepath.Join(p.Dir, "Caddyfile"))
	if failed := code == 1; failed != (wrong != "") || !strings.Contains(out, wrong) || errs != "" {
		t.Errorf("the doctor does not say %q: %d\n%s%s", wrong, code, out, errs)
	}
}

// whole reports whether nothing is down, and nothing is left in the spool.
func (p *production) whole(t *testing.T) bool {
	t.Helper()
	ready, metrics := p.look(t, "/readyz"), p.look(t, "/metrics").raw
	return ready.status == http.StatusOK && !strings.Contains(ready.raw, "remarks") &&
		strings.Contains(metrics, "\nhookgate_redis_ready 1\n") &&
		strings.Contains(metrics, `hookgate_rabbitmq_connections{state="open"} 2`) &&
		strings.Contains(metrics, `hookgate_spool_events{kind="event"} 0`) &&
		strings.Contains(metrics, `hookgate_spool_events{kind="dead_letter"} 0`)
}

// certify has both servers show other certificates, and ends the connections
// that have seen the old ones.
func (p *production) certify(t *testing.T, change ...func(*x509.Certificate)) {
	t.Helper()
	if err := secure.authority.Issue(p.redisCert, "localhost", change...); err != nil {
		t.Fatal(err)
	}
	p.redis.Do("config", "set", "tls-cert-file", p.redisCert.File, "tls-key-file", p.redisCert.Key)
	p.redis.Do("client", "kill", "type", "normal", "skipme", "yes")
	secure.show(t, change...)
	broker.Ctl(t, "close_all_connections", "--global", "other certificates")
}

// With a fallback and a spool no server is missed: what is tested is that
// nothing is lost, and that each is used again.
func TestProductionOverTLSLosesNothingOnBadDays(t *testing.T) {
	p := newProduction(t)
	t.Cleanup(func() { secure.show(t) })
	for _, d := range []struct {
		name       string
		ruin, heal func(t *testing.T)
		reloads    bool
		busy       bool // this machine is, with programs that the test starts
	}{
		{
			name: "the certificates have expired, and are renewed", busy: true,
			ruin: func(t *testing.T) {
				p.certify(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
				edge.Eventually(t, time.Minute, "neither is used", func() bool {
					metrics := p.look(t, "/metrics").raw
					return strings.Contains(metrics, "\nhookgate_redis_ready 0\n") && strings.Contains(metrics, `hookgate_rabbitmq_connections{state="open"} 0`)
				})
				p.examine(t, "certificate has expired")
			},
			heal: func(t *testing.T) { p.certify(t) },
		},
		{name: "the config is loaded again", reloads: true, ruin: func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(p.Dir, "Caddyfile"))
			if err == nil {
				err = p.Reload(string(raw))
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		{name: "Redis is killed", ruin: func(*testing.T) { p.redis.Kill() }, heal: func(*testing.T) { p.redis.Restart() }},
		{name: "RabbitMQ is killed", ruin: func(*testing.T) { broker.Kill() }, heal: func(t *testing.T) { restartBroker(t, nil, nil) }},
	} {
		t.Run(d.name, func(t *testing.T) {
			l := startLoad(t, p.Edge, hookPath, t.Name(), func(l *load) {
				l.url, l.client = p.url(hookPath), p.clients["HTTP/2.0"]
				if d.busy {
					l.bound = time.Minute
				}
				l.tolerant = d.reloads
			})
			edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 50 })
			d.ruin(t)
			begin, before := time.Now(), l.seen("accepted")
			edge.Eventually(t, time.Minute, "events are taken all the same", func() bool { return l.seen("accepted") > before+100 })
			if d.heal != nil {
				d.heal(t)
				begin = time.Now()
			}
			edge.Eventually(t, 20*time.Second, "all servers are used", func() bool { return p.whole(t) })
			t.Logf("all servers are used after %s", time.Since(begin).Round(10*time.Millisecond))
			l.settle()
			edge.Eventually(t, 20*time.Second, "the spool is empty", func() bool { return p.whole(t) })
			there := make(map[string]int)
			for id := range drain(t, "hooks", "hookgate.events") {
				there[id] = 1 // what was in doubt inside of the edge may be there twice
			}
			l.check(there)
		})
	}
}
