package outage

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/hookgate/hookgate/integration/servers"
)

// tlsSide is how the broker is reached over TLS.
type tlsSide struct {
	addr      string // host:port, where the host is the name in the certificate
	authority *servers.Authority
	shown     servers.Certificate // what the broker shows

	config string // path of the broker's settings for it
}

// newSecure makes an authority, and a certificate of it for the broker, which
// is called localhost.
func newSecure(dir string) (*tlsSide, error) {
	path := func(name string) string { return filepath.Join(dir, name) }
	s := &tlsSide{shown: servers.Certificate{File: path("rabbitmq.pem"), Key: path("rabbitmq.key")}, config: path("advanced.config")}
	var err error
	if s.authority, err = servers.NewAuthority(dir); err != nil {
		return nil, err
	}
	if err := s.authority.Issue(s.shown, "localhost"); err != nil {
		return nil, err
	}
	ports, err := servers.FreePortsNow(1)
	if err != nil {
		return nil, err
	}
	s.addr = net.JoinHostPort("localhost", ports[0])
	return s, os.WriteFile(s.config, fmt.Appendf(nil, `[{rabbit, [
  {ssl_listeners, [{"127.0.0.1", %s}]},
  {ssl_options, [{cacertfile, %q}, {certfile, %q}, {keyfile, %q}, {verify, verify_peer}, {fail_if_no_peer_cert, false}]}
]}].
`, ports[0], s.authority.File, s.shown.File, s.shown.Key), 0o600)
}

// listen has the broker that is started now listen with TLS, too. What it
// returns takes that back for the next one.
func (s *tlsSide) listen() (undo func()) {
	const variable = "RABBITMQ_ADVANCED_CONFIG_FILE"
	os.Setenv(variable, s.config)
	return func() { os.Unsetenv(variable) }
}

// show has the broker show another certificate to those who come from now on.
func (s *tlsSide) show(t *testing.T, change ...func(*x509.Certificate)) {
	t.Helper()
	if err := s.authority.Issue(s.shown, "localhost", change...); err != nil {
		t.Fatal(err)
	}
	broker.Ctl(t, "eval", "ssl:clear_pem_cache().")
}
