package simulate

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// idleTimeout closes connections that were not used for a while, before common
// servers do (the shortest default known is Node's, 5 s): an event sent on a
// connection that is being closed is lost through nobody's fault.
const idleTimeout = 4 * time.Second

// newTransport returns the connections to the receiver. It is used as a
// RoundTripper and without a Client, so that no redirect is followed, and
// without a proxy. The answer's Alt-Svc is ignored by net/http.
func newTransport(o *Options) *http.Transport {
	dialer := &net.Dialer{Timeout: o.Timeout}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!o.HTTP2)
	protocols.SetHTTP2(o.HTTP2)
	protocols.SetUnencryptedHTTP2(o.HTTP2)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil || o.HTTP2 { // HTTP/2 ends a stream, and not the connection
				return conn, err
			}
			return newPatientConn(conn), nil
		},
		TLSClientConfig: &tls.Config{
			RootCAs:            o.RootCAs,
			InsecureSkipVerify: o.Insecure,
		},
		TLSHandshakeTimeout: o.Timeout,
		MaxIdleConns:        o.Concurrency,
		MaxIdleConnsPerHost: o.Concurrency,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true,
		Protocols:           protocols,
	}
}
