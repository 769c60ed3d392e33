package simulate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

// Class says why there was no answer.
type Class string

// The classes.
const (
	ClassTimeout Class = "timeout" // none within Options.Timeout
	ClassDNS     Class = "dns"     // the host's name has no address
	ClassRefused Class = "refused" // nothing listens there
	ClassReset   Class = "reset"   // the connection was reset
	ClassClosed  Class = "closed"  // the connection was closed without an answer
	ClassTLS     Class = "tls"     // no TLS connection, or a certificate that is not trusted
	ClassOther   Class = "other"   // anything else, an answer that is not HTTP among it
)

// classOf sorts an error of the transport into a class.
func classOf(err error) Class {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return ClassDNS
	}
	if isTLS(err) {
		return ClassTLS
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return ClassTimeout
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return ClassRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ClassReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return ClassClosed
	case err.Error() == "http: server closed idle connection": // net/http does not export it
		return ClassClosed
	}
	return ClassOther
}

func isTLS(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, hostname := errors.AsType[x509.HostnameError](err)
	return verification || record || alert || authority || hostname
}
