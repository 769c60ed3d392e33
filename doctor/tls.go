package doctor

import (
	"crypto/tls"
	"errors"
	"strings"
)

// TLSAdvice returns what to do about an error of a connection that is made with
// TLS, and nothing where the error says nothing of TLS.
func TLSAdvice(err error) string {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case untrusted:
		return "have the server show a certificate that is in force, for the host in the URL or for server_name in tls, of an authority that is in ca in tls, or is this system's"
	case plain:
		return "write the port where the server speaks TLS, or a URL without it"
	case strings.Contains(err.Error(), "tls: certificate required"): // of a server, and only as a text from some libraries
		return "show it a certificate of ours: certificate in tls"
	}
	return ""
}
