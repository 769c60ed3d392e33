package failfast

import (
	"net/http"
	"net/netip"
)

// closeAmbiguous has the connection closed after a request that a proxy on the
// way may have ended in another place than we do: what follows on it may be a
// part of that request, sent by somebody else than the proxy believes (request
// smuggling; RFC 9112, section 11.2).
//
// net/http refuses what contradicts itself, but for two things that a handler
// cannot see: a Content-Length beside "Transfer-Encoding: chunked", and a
// Transfer-Encoding in HTTP/1.0. RFC 9112, section 6.1, asks for an end of the
// connection after both. So it ends after each HTTP/1.0 request, and after each
// chunked one that a proxy may have sent on. A sender that speaks TLS with us
// itself has nobody to deceive, and keeps its connection.
func closeAmbiguous(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 {
		return
	}
	if r.ProtoMinor == 0 || len(r.TransferEncoding) > 0 && !direct(r) {
		w.Header().Set("Connection", "close")
	}
}

// forwarded are the header fields that proxies add.
var forwarded = [...]string{"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip"}

// direct reports whether a request comes from its sender and through no proxy:
// over TLS, from a public address, and without a proxy's header fields.
func direct(r *http.Request) bool {
	if r.TLS == nil {
		return false
	}
	for _, name := range forwarded {
		if _, ok := r.Header[name]; ok {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap()
	return !addr.IsPrivate() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast()
}
