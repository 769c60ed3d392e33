package hook

import (
	"strings"
	"testing"
)

func TestTheDriftHeaderIsShortAndPlain(t *testing.T) {
	many := make([]Drift, 50)
	for i := range many {
		many[i] = Drift{Pointer: "/a/long/way/down", Kind: DriftUnknownMember}
	}
	exact := []Drift{{Pointer: "/" + strings.Repeat("x", MaxDriftHeader-len("renamed /")), Kind: DriftRenamed}}
	for _, tc := range []struct {
		name string
		list []Drift
		want string // "" for what is only measured
	}{
		{"one", []Drift{{"/callDurationSeconds", DriftRenamed}}, "renamed /callDurationSeconds"},
		{"two", []Drift{{"/*", DriftUnknownMember}, {"/at", DriftNoZone}}, "unknown_member /*, no_zone /at"},
		{"a name of other bytes", []Drift{{"/a b,ü%\n", DriftNewValue}}, "new_value /a%20b%2C%C3%BC%25%0A"},
		{"one as long as it may be", exact, "renamed " + exact[0].Pointer},
		{"one byte more", []Drift{{exact[0].Pointer + "x", DriftRenamed}}, "..."},
		{"one as long as it may be, and another", append(exact, many[0]), "..."},
		{"many", many, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := DriftHeader(tc.list)
			if tc.want != "" && got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if len(got) > MaxDriftHeader || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("got %d bytes: %q", len(got), got)
			}
			if tc.want == "" && (!strings.HasSuffix(got, "/down, ...") || len(got) < MaxDriftHeader-40) {
				t.Errorf("got %q", got)
			}
		})
	}
}
