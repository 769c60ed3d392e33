package contract

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hookgate/hookgate/hook"
)

// maxDrift is how many differences a document reports at most.
const maxDrift = 20

// maxExact is how many digits a number in a string may have to be taken for a
// number: with more, a reader that computes in float64 would get another one.
const maxExact = 15

// report notes a difference, once for each place and kind.
func (w *walk) report(at string, kind hook.DriftKind) {
	d := hook.Drift{Pointer: at, Kind: kind}
	if len(w.drift) < maxDrift && !slices.Contains(w.drift, d) {
		w.drift = append(w.drift, d)
	}
}

// sortedDrift returns what was reported, nil for nothing.
func (w *walk) sortedDrift() []hook.Drift {
	if len(w.drift) == 0 {
		return nil
	}
	drift := slices.Clone(w.drift)
	slices.SortFunc(drift, func(a, b hook.Drift) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Kind, b.Kind))
	})
	return drift
}

// looked is what was found at a place, as the contract has it.
type looked struct {
	found
	raw string // in JSON, where that is not what stands in the body; else ""
}

// look holds a text against what the contract says of its place: a number in a
// string becomes the number, and a time without a zone gets that of UTC.
func (w *walk) look(n *node, text []byte, at span) looked {
	l := looked{found: found{kind: '"', text: text}}
	switch {
	case n.number && isExact(string(text)):
		w.report(n.path, hook.DriftStringNumber)
		l.kind, l.raw = '0', string(text)
	case n.time && !hasZone(text):
		if zoned := string(text) + "Z"; isTime(zoned) {
			w.report(n.path, hook.DriftNoZone)
			l.text, l.raw = []byte(zoned), string(w.body[at.from:at.to-1])+`Z"`
		}
	}
	if n.values != nil && !n.values[string(text)] {
		w.report(n.path, hook.DriftNewValue)
	}
	return l
}

// isExact reports whether a text is a JSON number without an exponent that
// any reader reads as the same number.
func isExact(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	switch {
	case !isDigits(whole) || whole == "" || whole[0] == '0' && len(whole) > 1:
		return false
	case point && (fraction == "" || !isDigits(fraction)):
		return false
	}
	return len(whole)+len(fraction) <= maxExact
}

// hasZone reports whether a time in the form of RFC 3339 has a zone.
func hasZone(s []byte) bool {
	if len(s) == 0 {
		return false
	}
	last := s[len(s)-1]
	return last == 'Z' || last == 'z' || len(s) > 6 && (s[len(s)-6] == '+' || s[len(s)-6] == '-')
}
