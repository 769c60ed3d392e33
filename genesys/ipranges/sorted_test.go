package ipranges

import (
	"net/netip"
	"testing"
)

func TestContainsFindsTheRangeOfAnAddress(t *testing.T) {
	list, err := Parse([]byte(`{"entities":[{"cidr":"10.0.0.0/8"},{"cidr":"192.0.2.4/30"},{"cidr":"192.0.2.9"},{"cidr":"2001:db8::/32"}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"9.255.255.255":    false,
		"10.0.0.0":         true,
		"10.9.8.7":         true,
		"10.255.255.255":   true,
		"11.0.0.0":         false,
		"192.0.2.3":        false,
		"192.0.2.4":        true,
		"192.0.2.7":        true,
		"192.0.2.8":        false,
		"192.0.2.9":        true,
		"192.0.2.10":       false,
		"255.255.255.255":  false,
		"::":               false,
		"::ffff:10.0.0.1":  false, // to be unmapped first
		"2001:db8::":       true,
		"2001:db8:ffff::1": true,
		"2001:db9::":       false,
	} {
		if got := Contains(list, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %t", addr, got)
		}
	}
}

func TestAnEmptyListContainsNothing(t *testing.T) {
	if Contains(nil, netip.MustParseAddr("10.0.0.1")) {
		t.Error("an address is in no ranges")
	}
}

func TestTheZeroAddressIsInNoRange(t *testing.T) {
	if Contains([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}, netip.Addr{}) {
		t.Error("no address is in a range")
	}
}
