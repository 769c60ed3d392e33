package genesystest

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/genesys"
)

// Client is an OAuth client with the grant type Client Credentials.
type Client struct {
	ID, Secret  string
	Permissions []string // nil for none; "*" for all
}

// The clients of a server that is not told otherwise.
var (
	// Admin may do everything.
	Admin = Client{ID: "6f1c3a2e-admin", Secret: "admin-secret-5f0d8a", Permissions: []string{"*"}}

	// Roleless may do nothing that needs a permission: it is the client for IP
	// ranges.
	Roleless = Client{ID: "0b9d4c7f-roleless", Secret: "roleless-secret-77c1e2"}
)

// Options are those of a Server.
type Options struct {
	// TLS has the server speak HTTPS, with a certificate of its own.
	TLS bool

	// Clients are the OAuth clients. Default: Admin and Roleless.
	Clients []Client

	// TokenLife is how long a token is good. Default: 24 h.
	TokenLife time.Duration

	// Outbound sends the requests of data actions. Default: a client that
	// trusts the system's authorities.
	Outbound *http.Client

	// Polls is how often an Open Messaging integration is looked at before it is
	// completed. Default: 0.
	Polls int
}

// Server is a Genesys Cloud.
type Server struct {
	api, login *httptest.Server
	opts       Options

	mu     sync.Mutex
	n      int // for IDs
	tokens map[string]token
	faults []*fault
	calls  []Call
	ranges []Range

	failMessaging bool
	org           org
}

// Call is a request that came in, whatever became of it.
type Call struct {
	Method, Path, Query string
	Body                string
	Client              string // the ID; empty without a good token
}

// Start starts a server, which is closed at the end of the test.
func Start(tb testing.TB, opts Options) *Server {
	tb.Helper()
	if opts.Clients == nil {
		opts.Clients = []Client{Admin, Roleless}
	}
	if opts.TokenLife == 0 {
		opts.TokenLife = 24 * time.Hour
	}
	if opts.Outbound == nil {
		opts.Outbound = &http.Client{}
	}
	s := &Server{opts: opts, tokens: make(map[string]token), org: newOrg()}
	api := http.NewServeMux()
	s.routes(api)
	login := http.NewServeMux()
	login.HandleFunc("POST /oauth/token", s.issue)
	s.api, s.login = httptest.NewUnstartedServer(s.front(api)), httptest.NewUnstartedServer(s.front(login))
	for _, h := range []*httptest.Server{s.api, s.login} {
		if opts.TLS {
			h.StartTLS()
		} else {
			h.Start()
		}
		tb.Cleanup(h.Close)
	}
	return s
}

// APIURL returns the base URL of the API.
func (s *Server) APIURL() string { return s.api.URL }

// LoginURL returns the base URL of the login.
func (s *Server) LoginURL() string { return s.login.URL }

// Environment returns where the server is.
func (s *Server) Environment() genesys.Environment {
	return genesys.Environment{API: s.api.URL, Login: s.login.URL}
}

// Certificate returns that of a server with TLS.
func (s *Server) Certificate() *x509.Certificate { return s.api.Certificate() }

// Transport returns one that trusts the server.
func (s *Server) Transport() http.RoundTripper { return s.api.Client().Transport }

// Options returns those for a client of this server that does not wait long.
func (s *Server) Options(c Client) genesys.Options {
	return genesys.Options{
		Environment: s.Environment(),
		Credentials: genesys.Fixed(genesys.Credentials{ClientID: c.ID, ClientSecret: c.Secret}),
		Transport:   s.Transport(),
		Backoff:     time.Millisecond,
	}
}

// Close ends the server: nobody listens at its addresses any more.
func (s *Server) Close() {
	for _, h := range []*httptest.Server{s.api, s.login} {
		h.CloseClientConnections()
		h.Close()
	}
}

// Calls returns the calls so far, of a method and a path; "" for all methods,
// and a path that ends in * for all that begin with it.
func (s *Server) Calls(method, path string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Call
	for _, c := range s.calls {
		if matches(method, path, c.Method, c.Path) {
			found = append(found, c)
		}
	}
	return found
}

// Changes returns the calls that were meant to change something.
func (s *Server) Changes() []Call {
	return slices.DeleteFunc(s.Calls("", "/api/*"), func(c Call) bool {
		return c.Method == http.MethodGet || strings.HasSuffix(c.Path, "/test")
	})
}

func matches(method, pattern, m, path string) bool {
	if method != "" && method != m {
		return false
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return pattern == path
}

// id makes the next ID. The server is locked.
func (s *Server) id() string {
	s.n++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.n)
}

// Range is an entry of the list of IP ranges.
type Range struct {
	CIDR      string `json:"cidr,omitempty"`
	Service   string `json:"service,omitempty"`
	Region    string `json:"region,omitempty"`
	Direction string `json:"direction,omitempty"`
}

// SetRanges sets the IP ranges. There are none at first.
func (s *Server) SetRanges(ranges ...Range) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ranges = ranges
}

// Outbound makes entries for traffic of one service from Genesys.
func Outbound(service string, cidrs ...string) []Range {
	var ranges []Range
	for _, c := range cidrs {
		ranges = append(ranges, Range{CIDR: c, Service: service, Region: "eu-central-1", Direction: "outbound"})
	}
	return ranges
}

// SetOutbound changes what sends the requests of data actions.
func (s *Server) SetOutbound(c *http.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Outbound = c
}

// SetPermissions changes what a client may do.
func (s *Server) SetPermissions(clientID string, permissions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.opts.Clients {
		if s.opts.Clients[i].ID == clientID {
			s.opts.Clients[i].Permissions = permissions
		}
	}
}

// LocalAddress returns an HTTP client whose connections come from a loopback
// address, for Options.Outbound.
func LocalAddress(addr netip.Addr, transport *http.Transport) *http.Client {
	t := transport.Clone()
	t.DialContext = dialFrom(addr)
	return &http.Client{Transport: t}
}
