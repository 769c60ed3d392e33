package allowlist

import (
	"encoding/json"
	"testing"
)

func TestOnlyPrivateAddressesNeedNoWarning(t *testing.T) {
	static := func(ranges string) []json.RawMessage {
		return []json.RawMessage{json.RawMessage(`{"source":"static","ranges":[` + ranges + `]}`)}
	}
	for _, tc := range []struct {
		name    string
		sources []json.RawMessage
		want    bool
	}{
		{"what private_ranges stands for", PrivateRanges(), true},
		{"a part of them", static(`"10.1.0.0/16","fd00:1::/32","::1/128"`), true},
		{"a public one among them", static(`"10.1.0.0/16","192.0.2.0/24"`), false},
		{"more than a private one", static(`"10.0.0.0/7"`), false},
		{"another source", []json.RawMessage{json.RawMessage(`{"source":"genesys"}`)}, false},
		{"private ones and another source", append(PrivateRanges(), json.RawMessage(`{"source":"genesys_file"}`)), false},
	} {
		if got := OnlyPrivate(tc.sources); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
