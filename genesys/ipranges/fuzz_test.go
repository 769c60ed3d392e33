package ipranges

import (
	"net/netip"
	"slices"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		current,
		`{"entities":[{"cidr":"0.0.0.0/0"},{"cidr":"::/0"}]}`,
		`{"entities":[{"cidr":"10.0.0.0/8"},{"cidr":"10.1.0.0/16"},{"cidr":"10.0.0.0"}]}`,
		`{"entities":[{"cidr":"::ffff:192.0.2.1","direction":"both"}]}`,
		`{"entities":[{"cidr":"10.0.0.1/8"}]}`,
		`{"entities":null}`,
		`[]`,
		``,
	} {
		f.Add([]byte(seed), "data-actions")
		f.Add([]byte(seed), "")
	}
	f.Fuzz(func(t *testing.T, data []byte, service string) {
		var services []string
		if service != "" {
			services = []string{service}
		}
		got, err := Parse(data, services)
		if (err == nil) == (len(got) == 0) {
			t.Fatalf("%d ranges and the error %v", len(got), err)
		}
		for i, p := range got {
			if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
				t.Fatalf("%s is not in its plain form", p)
			}
			if i > 0 && got[i-1].Addr().Compare(p.Addr()) >= 0 {
				t.Fatalf("%s and %s are not in order", got[i-1], p)
			}
			if slices.ContainsFunc(got[i+1:], p.Overlaps) {
				t.Fatalf("%s covers another", p)
			}
			agree(t, got, p.Addr())
			agree(t, got, p.Addr().Prev())
			agree(t, got, p.Addr().Next())
		}
	})
}

// agree holds Contains against looking at each range.
func agree(t *testing.T, list []netip.Prefix, addr netip.Addr) {
	t.Helper()
	want := slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(addr) })
	if got := Contains(list, addr); got != want {
		t.Fatalf("%s: got %t", addr, got)
	}
}
