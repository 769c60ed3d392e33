package live

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/hookgate/hookgate/genesys/ipranges"
)

// list is what is known of the ranges, in a form that does not change.
type list struct {
	entries []ipranges.Entry // sorted, each once
	digest  string           // of the answer that it is from
	carried []string         // services that are not in that answer: their entries are from before
}

// normal sorts entries and leaves out what stands twice: Genesys promises no
// order.
func normal(entries []ipranges.Entry) []ipranges.Entry {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b ipranges.Entry) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), a.Prefix.Addr().Compare(b.Prefix.Addr()),
			cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), cmp.Compare(a.Region, b.Region))
	})
	return slices.Compact(entries)
}

// digestOf tells answers apart.
func digestOf(entries []ipranges.Entry) string {
	h := sha256.New()
	for _, e := range entries {
		fmt.Fprintf(h, "%s %q %q\n", e.Prefix, e.Service, e.Region)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// shrunk reports whether an answer has less than half the ranges of the list,
// in all or of one service.
func (l *list) shrunk(answer []ipranges.Entry) bool {
	own := slices.DeleteFunc(slices.Clone(l.entries), func(e ipranges.Entry) bool { return slices.Contains(l.carried, e.Service) })
	before, now := counts(own), counts(answer)
	for service, n := range before {
		if 2*now[service] < n {
			return true
		}
	}
	return 2*len(answer) < len(own)
}

func counts(entries []ipranges.Entry) map[string]int {
	n := make(map[string]int)
	for _, e := range entries {
		n[e.Service]++
	}
	return n
}

// successor makes the list of an answer. Services that are not in it any more
// keep their entries: a hook that takes their events would refuse all of them.
func (l *list) successor(answer []ipranges.Entry) *list {
	next := &list{entries: answer, digest: digestOf(answer)}
	if l == nil {
		return next
	}
	there := counts(answer)
	for _, e := range l.entries {
		if there[e.Service] == 0 {
			next.entries = append(slices.Clip(next.entries), e)
			next.carried = append(next.carried, e.Service)
		}
	}
	next.entries, next.carried = normal(next.entries), slices.Compact(next.carried)
	return next
}

// Change is what is different between two lists.
type Change struct {
	Added, Removed []ipranges.Entry
}

// difference returns what changed from one list to the next.
func difference(from, to *list) Change {
	var old []ipranges.Entry
	if from != nil {
		old = from.entries
	}
	return Change{Added: ipranges.Without(to.entries, old), Removed: ipranges.Without(old, to.entries)}
}
