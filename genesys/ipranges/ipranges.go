// Package ipranges reads lists of addresses in the form in which Genesys Cloud
// publishes its own: GET /api/v2/ipranges, IpAddressRangeListing.
package ipranges

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrEmpty means that no entry of a list is for the services asked for.
var ErrEmpty = errors.New("no entry is for traffic from these services")

// listing is the part of the form that counts. Services are open: Genesys adds
// one now and then.
type listing struct {
	Entities []struct {
		CIDR      string `json:"cidr"`
		Service   string `json:"service"`
		Direction string `json:"direction"` // from the perspective of Genesys; older lists have none
	} `json:"entities"`
}

// Parse returns the ranges from which the services send (no services: all of
// them), sorted and without those that others cover. An entry with a bad range
// refuses the whole list: half of one would turn senders away.
func Parse(data []byte, services []string) ([]netip.Prefix, error) {
	var list listing
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("not a list of IP ranges: %w", err)
	}
	var prefixes []netip.Prefix
	for i, e := range list.Entities {
		p, err := ParsePrefix(e.CIDR)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		if strings.EqualFold(e.Direction, "inbound") {
			continue
		}
		if len(services) == 0 || slices.Contains(services, e.Service) {
			prefixes = append(prefixes, p)
		}
	}
	if len(prefixes) == 0 {
		return nil, ErrEmpty
	}
	return merge(prefixes), nil
}

// ParsePrefix reads a range, or one address, strictly: bits beyond the mask and
// IPv4 addresses in IPv6 form are errors, because they match something else
// than they seem to.
func ParsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is not an IP address or range", s)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is not an IP address or range", s)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q: write IPv4 ranges as such", s)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its mask: did you mean %s?", s, p.Masked())
	}
	return p, nil
}

// merge sorts ranges and leaves out those within others.
func merge(prefixes []netip.Prefix) []netip.Prefix {
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	merged := prefixes[:0]
	for _, p := range prefixes {
		if n := len(merged); n > 0 && merged[n-1].Overlaps(p) {
			continue // sorted: the one before is the larger
		}
		merged = append(merged, p)
	}
	return slices.Clip(merged)
}
