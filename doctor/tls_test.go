package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestTheAdviceAboutTLSNamesTheSetting(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"nobody trusts the certificate", fmt.Errorf("TLS: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), "ca in tls"},
		{"the port is not one of TLS", fmt.Errorf("TLS: %w", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), "without it"},
		{"the server wants a certificate", errors.New(`Exception (501) Reason: "remote error: tls: certificate required"`), "certificate in tls"},
		{"nobody is there", errors.New("dial: connection refused"), ""},
	} {
		if got := TLSAdvice(tc.err); !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
}
