package ipranges

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// current has the shape of today's answer, and one member that is not known yet.
const current = `{"entities":[
	{"cidr":"52.200.73.32/32","service":"data-actions","region":"us-east-1","direction":"outbound"},
	{"cidr":"52.200.73.32/32","service":"open-messaging","region":"us-east-1","direction":"both"},
	{"cidr":"13.210.12.0/24","service":"open-messaging","region":"ap-southeast-2","direction":"outbound"},
	{"cidr":"198.51.100.0/24","service":"data-actions","region":"us-east-1","direction":"inbound"},
	{"cidr":"2001:db8:1::/48","service":"data-actions","region":"us-east-1","direction":"Outbound","since":2027}
],"selfUri":"/api/v2/ipranges"}`

func TestParseReturnsTheRangesThatSend(t *testing.T) {
	one := func(members string) string { return `{"entities":[{` + members + `}]}` }
	for _, tc := range []struct {
		name     string
		data     string
		services []string
		want     []string
	}{
		{"of all services, each once, sorted, without those towards Genesys", current, nil, []string{"13.210.12.0/24", "52.200.73.32/32", "2001:db8:1::/48"}},
		{"of one service", current, []string{"data-actions"}, []string{"52.200.73.32/32", "2001:db8:1::/48"}},
		{"of two services", current, []string{"open-messaging", "data-actions"}, []string{"13.210.12.0/24", "52.200.73.32/32", "2001:db8:1::/48"}},
		{"of a service that is new", one(`"cidr":"192.0.2.0/24","service":"telepathy"`), []string{"telepathy"}, []string{"192.0.2.0/24"}},
		{"of lists from before there were directions", one(`"cidr":"192.0.2.0/24","service":"smtp","region":"eu"`), nil, []string{"192.0.2.0/24"}},
		{"with a direction of null", one(`"cidr":"192.0.2.0/24","direction":null`), nil, []string{"192.0.2.0/24"}},
		{"with both directions", one(`"cidr":"192.0.2.0/24","direction":"BOTH"`), nil, []string{"192.0.2.0/24"}},
		{"with a bare IPv4 address", one(`"cidr":"192.0.2.1"`), nil, []string{"192.0.2.1/32"}},
		{"with a bare IPv6 address", one(`"cidr":"2001:db8::1"`), nil, []string{"2001:db8::1/128"}},
		{"with a mapped address as IPv4", one(`"cidr":"::ffff:192.0.2.1"`), nil, []string{"192.0.2.1/32"}},
		{
			"without those that others cover, whatever their order",
			`{"entities":[{"cidr":"10.1.2.3"},{"cidr":"10.1.0.0/16"},{"cidr":"10.1.0.0/24"},{"cidr":"10.0.0.0/8"},{"cidr":"11.0.0.0/8"},{"cidr":"2001:db8::1"},{"cidr":"2001:db8::/32"}]}`,
			nil,
			[]string{"10.0.0.0/8", "11.0.0.0/8", "2001:db8::/32"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse([]byte(tc.data), tc.services)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, texts(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefusesTheWholeList(t *testing.T) {
	second := func(cidr string) string {
		return `{"entities":[{"cidr":"192.0.2.0/24","service":"smtp"},{"cidr":"` + cidr + `","service":"imap","direction":"inbound"}]}`
	}
	for _, tc := range []struct {
		name     string
		data     string
		services []string
		want     string
	}{
		{"that is empty", "", nil, "not a list of IP ranges"},
		{"that is cut off", current[:len(current)-20], nil, "not a list of IP ranges"},
		{"that is an array", "[]", nil, "not a list of IP ranges"},
		{"with something after it", current + "{}", nil, "not a list of IP ranges"},
		{"with a number for a range", `{"entities":[{"cidr":10}]}`, nil, "not a list of IP ranges"},
		{"with bits beyond the mask, though nobody asked for the service", second("10.0.0.1/8"), []string{"smtp"}, `entry 2: "10.0.0.1/8" has bits beyond its mask: did you mean 10.0.0.0/8?`},
		{"with a mapped range", second("::ffff:10.0.0.0/104"), nil, `entry 2: "::ffff:10.0.0.0/104": write IPv4 ranges as such`},
		{"with a mask that is too long", second("10.0.0.0/33"), nil, `entry 2: "10.0.0.0/33" is not an IP address or range`},
		{"with a host name", second("genesys.example"), nil, `entry 2: "genesys.example" is not an IP address or range`},
		{"with a zone", second("fe80::1%eth0"), nil, `entry 2: "fe80::1%eth0" is not an IP address or range`},
		{"with an entry without a range", `{"entities":[{"service":"smtp"}]}`, nil, `entry 1: "" is not an IP address or range`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse([]byte(tc.data), tc.services)
			if got != nil || err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, ErrEmpty) {
				t.Errorf("got %v, %v; want %s", got, err, tc.want)
			}
		})
	}
}

func TestParseReportsThatNoEntryIsLeft(t *testing.T) {
	for name, data := range map[string]string{
		"null":                       `null`,
		"no member":                  `{}`,
		"no entry":                   `{"entities":[]}`,
		"other services":             `{"entities":[{"cidr":"192.0.2.0/24","service":"smtp"}]}`,
		"a service in another case":  `{"entities":[{"cidr":"192.0.2.0/24","service":"Data-Actions"}]}`,
		"only towards Genesys":       `{"entities":[{"cidr":"192.0.2.0/24","service":"data-actions","direction":"INBOUND"}]}`,
		"a direction nobody knows":   `{"entities":[{"cidr":"192.0.2.0/24","service":"data-actions","direction":"sideways"}]}`,
		"an entry without a service": `{"entities":[{"cidr":"192.0.2.0/24"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(data), []string{"data-actions"})
			if got != nil || !errors.Is(err, ErrEmpty) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func texts(prefixes []netip.Prefix) []string {
	var s []string
	for _, p := range prefixes {
		s = append(s, p.String())
	}
	return s
}
