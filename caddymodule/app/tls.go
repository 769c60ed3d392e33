package app

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hookgate/hookgate/caddymodule/internal/parse"
	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
)

// TLS is how the servers are recognized, and we by them. Paths and the
// name may hold placeholders.
type TLS struct {
	// A file of authorities in PEM. Default: the system's.
	CA string `json:"ca,omitempty"`

	// A file with our certificate in PEM, and its key. They are read anew for
	// each connection. Default: none is shown.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`

	// The name that the servers' certificate must have. Default: the host that
	// is connected to.
	ServerName string `json:"server_name,omitempty"`
}

// config returns the settings of crypto/tls, and a digest of what they hold
// that is not read again. s may be nil.
func (s *TLS) config() (*tls.Config, string, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if s == nil {
		return cfg, "", nil
	}
	if (s.Certificate == "") != (s.Key == "") {
		return nil, "", errors.New("a certificate needs a key, and a key a certificate")
	}
	var resolved [4]string
	for i, template := range []string{s.CA, s.Certificate, s.Key, s.ServerName} {
		var err error
		if resolved[i], err = placeholder.Resolve(template); err != nil {
			return nil, "", err
		}
	}
	ca, cert, key := resolved[0], resolved[1], resolved[2]
	cfg.ServerName = resolved[3]
	digest := fmt.Sprint(resolved)
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, "", fmt.Errorf("ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, "", fmt.Errorf("ca: %s has no certificate", ca)
		}
		sum := sha256.Sum256(pem)
		digest += hex.EncodeToString(sum[:])
	}
	if cert != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			return &pair, err
		}
		if _, err := load(); err != nil {
			return nil, "", fmt.Errorf("certificate: %w", err)
		}
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return cfg, digest, nil
}

// parseTLS reads a tls subdirective. A block may be left out.
func parseTLS(p **TLS) parse.Func {
	return func(d *caddyfile.Dispenser) error {
		if d.NextArg() {
			return d.ArgErr()
		}
		s := new(TLS)
		*p = s
		return parse.Block(d, map[string]parse.Func{
			"ca":          parse.String(&s.CA),
			"server_name": parse.String(&s.ServerName),
			"certificate": func(d *caddyfile.Dispenser) error {
				if !d.Args(&s.Certificate, &s.Key) {
					return d.Err("certificate: the paths of a certificate and of its key are needed")
				}
				return nil
			},
		})
	}
}
