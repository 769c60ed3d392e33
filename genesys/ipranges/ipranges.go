// Package ipranges reads lists of addresses in the form in which Genesys Cloud
// publishes its own: GET /api/v2/ipranges, IpAddressRangeListing.
package ipranges

import (
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
	Entities []entity `json:"entities"`
}

type entity struct {
	CIDR      string `json:"cidr"`
	Service   string `json:"service,omitempty"`
	Region    string `json:"region,omitempty"`
	Direction string `json:"direction,omitempty"` // from the perspective of Genesys; older lists have none
}

// Entry is one from which Genesys sends.
type Entry struct {
	Prefix  netip.Prefix
	Service string
	Region  string
}

// Read returns the entries from which Genesys sends, as they come.
//
// An entry with a bad range refuses the whole list, whatever its service: half
// of one would turn senders away. The error is ErrEmpty where no entry is left.
func Read(data []byte) ([]Entry, error) {
	var list listing
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("not a list of IP ranges: %w", err)
	}
	var entries []Entry
	for i, e := range list.Entities {
		p, err := ParsePrefix(e.CIDR)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		if fromGenesys(e.Direction) {
			entries = append(entries, Entry{Prefix: p, Service: e.Service, Region: e.Region})
		}
	}
	if len(entries) == 0 {
		return nil, ErrEmpty
	}
	return entries, nil
}

// Of returns the entries of the services (no services: all).
func Of(entries []Entry, services []string) []Entry {
	if len(services) == 0 {
		return entries
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !slices.Contains(services, e.Service) })
}

// Without returns the entries that are not among others.
func Without(entries, others []Entry) []Entry {
	var left []Entry
	for _, e := range entries {
		if !slices.Contains(others, e) {
			left = append(left, e)
		}
	}
	return left
}

// Encode writes entries in the form that Read takes.
func Encode(entries []Entry) ([]byte, error) {
	list := listing{Entities: make([]entity, len(entries))}
	for i, e := range entries {
		list.Entities[i] = entity{CIDR: e.Prefix.String(), Service: e.Service, Region: e.Region, Direction: "outbound"}
	}
	data, err := json.MarshalIndent(list, "", "  ")
	return append(data, '\n'), err
}

// Select returns the ranges of the services (no services: of all), sorted and
// without those that others cover, as Contains needs them. Services are compared
// as they are written.
func Select(entries []Entry, services []string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, e := range entries {
		if len(services) == 0 || slices.Contains(services, e.Service) {
			prefixes = append(prefixes, e.Prefix)
		}
	}
	return merge(prefixes)
}

// Services returns the services that there are entries of, sorted.
func Services(entries []Entry) []string {
	var services []string
	for _, e := range entries {
		services = append(services, e.Service)
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// Parse is Read and Select. The error is ErrEmpty where no entry is for the
// services.
func Parse(data []byte, services []string) ([]netip.Prefix, error) {
	entries, err := Read(data)
	if err != nil {
		return nil, err
	}
	prefixes := Select(entries, services)
	if len(prefixes) == 0 {
		return nil, ErrEmpty
	}
	return prefixes, nil
}

// fromGenesys reports whether the addresses of a direction send. A direction
// that nobody knows is left out: the list lets people in.
func fromGenesys(direction string) bool {
	switch strings.ToLower(direction) {
	case "", "outbound", "both":
		return true
	}
	return false
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
