package failfast

import (
	"crypto/tls"
	"testing"
)

func TestAConnectionEndsAfterWhatAProxyMayReadInAnotherWay(t *testing.T) {
	for _, tc := range []struct {
		name    string
		major   int
		minor   int
		chunked bool
		tls     bool
		peer    string
		header  string
		want    string
	}{
		{"a length", 1, 1, false, false, "10.0.0.1:80", "", ""},
		{"chunks without TLS", 1, 1, true, false, "198.51.100.1:80", "", "close"},
		{"chunks from the sender itself", 1, 1, true, true, "198.51.100.1:80", "", ""},
		{"chunks from the sender itself by IPv6", 1, 1, true, true, "[2001:db8::1]:80", "", ""},
		{"chunks from a private address", 1, 1, true, true, "10.0.0.1:80", "", "close"},
		{"chunks from a mapped private address", 1, 1, true, true, "[::ffff:10.0.0.1]:80", "", "close"},
		{"chunks from this machine", 1, 1, true, true, "127.0.0.1:80", "", "close"},
		{"chunks from a socket", 1, 1, true, true, "@", "", "close"},
		{"chunks that a proxy says it sent on", 1, 1, true, true, "198.51.100.1:80", "X-Forwarded-For", "close"},
		{"chunks by way of", 1, 1, true, true, "198.51.100.1:80", "Via", "close"},
		{"HTTP/1.0", 1, 0, false, true, "198.51.100.1:80", "", "close"},
		{"HTTP/2", 2, 0, false, true, "10.0.0.1:80", "Via", ""},
		{"HTTP/3", 3, 0, false, true, "10.0.0.1:80", "Via", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, r := newRequest("")
			r.ProtoMajor, r.ProtoMinor, r.RemoteAddr = tc.major, tc.minor, tc.peer
			if tc.chunked {
				r.TransferEncoding = []string{"chunked"}
			}
			r.TLS = nil
			if tc.tls {
				r.TLS = new(tls.ConnectionState)
			}
			if tc.header != "" {
				r.Header.Set(tc.header, "x")
			}
			closeAmbiguous(w, r)
			if got := w.Header().Get("Connection"); got != tc.want {
				t.Errorf("Connection is %q", got)
			}
		})
	}
}
