package ipranges

import (
	"cmp"
	"net/netip"
	"slices"
)

// Contains reports whether an address is in one of the ranges, which must be as
// Parse returns them. The address must be unmapped and without a zone, or it is
// in none. It takes logarithmic time.
func Contains(sorted []netip.Prefix, addr netip.Addr) bool {
	// No range covers another, so only the last one that begins at the address
	// or before it can hold the address.
	i, found := slices.BinarySearchFunc(sorted, addr, func(p netip.Prefix, a netip.Addr) int {
		return p.Addr().Compare(a)
	})
	return found || i > 0 && sorted[i-1].Contains(addr)
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
