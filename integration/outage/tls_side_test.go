package outage

import (
	"crypto/x509"
	"path/filepath"
	"testing"

	"github.com/hookgate/hookgate/integration/servers"
)

// tlsSide is how the broker is reached over TLS.
type tlsSide struct {
	addr      string // host:port, where the host is the name in the certificate
	authority *servers.Authority
	shown     servers.Certificate // what the broker shows
}

// newSecure makes an authority, and has the broker that is started until undo
// is called show a certificate of it.
func newSecure(dir string) (s *tlsSide, undo func(), err error) {
	s = &tlsSide{shown: servers.Certificate{File: filepath.Join(dir, "rabbitmq.pem"), Key: filepath.Join(dir, "rabbitmq.key")}}
	if s.authority, err = servers.NewAuthority(dir); err != nil {
		return nil, nil, err
	}
	s.addr, undo, err = servers.ListenTLS(dir, s.authority, s.shown)
	return s, undo, err
}

// show has the broker show another certificate to those who come from now on.
func (s *tlsSide) show(t *testing.T, change ...func(*x509.Certificate)) {
	t.Helper()
	if err := s.authority.Issue(s.shown, "localhost", change...); err != nil {
		t.Fatal(err)
	}
	broker.Ctl(t, "eval", "ssl:clear_pem_cache().")
}
