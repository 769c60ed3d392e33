package doctor

import (
	"net"
	"net/netip"
	"strings"
)

// IsLoopback reports whether an address, as host:port or without a port, is one
// of this machine, as far as can be told without asking for its name.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
