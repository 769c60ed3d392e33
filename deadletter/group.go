package deadletter

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// Group are the letters of a hook that failed in the same way.
type Group struct {
	Hook    string    `json:"hook"`
	Kind    hook.Kind `json:"kind"`
	Status  int       `json:"status,omitempty"`
	Message string    `json:"message"` // without what differs between them
	Count   int       `json:"count"`
	First   time.Time `json:"first,omitzero"` // when the first of them failed
	Last    time.Time `json:"last,omitzero"`
	Example string    `json:"example"` // the ID of the latest letter
}

// Groups puts letters together. The zero value is ready.
type Groups struct {
	known map[groupKey]*Group
}

type groupKey struct {
	hook    string
	kind    hook.Kind
	status  int
	message string
}

// Add counts a letter.
func (g *Groups) Add(r *Record) {
	if g.known == nil {
		g.known = make(map[groupKey]*Group)
	}
	key := groupKey{r.Hook, r.Kind, r.Status, normalize(r.Message)}
	group := g.known[key]
	if group == nil {
		group = &Group{Hook: r.Hook, Kind: r.Kind, Status: r.Status, Message: key.message, First: r.FailedAt}
		g.known[key] = group
	}
	group.Count++
	if !r.FailedAt.IsZero() && (group.First.IsZero() || r.FailedAt.Before(group.First)) {
		group.First = r.FailedAt
	}
	if !r.FailedAt.Before(group.Last) {
		group.Last, group.Example = r.FailedAt, r.ID
	}
}

// List returns the groups, the largest first.
func (g *Groups) List() []Group {
	list := make([]Group, 0, len(g.known))
	for _, group := range g.known {
		list = append(list, *group)
	}
	slices.SortFunc(list, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Hook, b.Hook),
			strings.Compare(string(a.Kind), string(b.Kind)), cmp.Compare(a.Status, b.Status), strings.Compare(a.Message, b.Message))
	})
	return list
}

// What differs between two messages about one thing, in the order in which it
// is taken out.
var (
	quotedPattern = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	uuidPattern   = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	ipv6Pattern   = regexp.MustCompile(`(?i)\[[0-9a-f:.%]*:[0-9a-z:.%]*\]`)
	ipv4Pattern   = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	hexPattern    = regexp.MustCompile(`(?i)\b[0-9a-f]*\d[0-9a-f]{7,}\b|\b[0-9a-f]{7,}\d[0-9a-f]*\b`)
	numberPattern = regexp.MustCompile(`\d+(?:\.\d+)?`)
	spacePattern  = regexp.MustCompile(`\s+`)
)

// normalize takes out of a message what differs between two letters that failed
// in the same way: numbers, IDs, addresses, quoted text.
func normalize(s string) string {
	s = quotedPattern.ReplaceAllLiteralString(s, `"*"`)
	s = uuidPattern.ReplaceAllLiteralString(s, "<id>")
	s = ipv6Pattern.ReplaceAllLiteralString(s, "<ip>")
	s = ipv4Pattern.ReplaceAllLiteralString(s, "<ip>")
	s = hexPattern.ReplaceAllLiteralString(s, "<id>")
	s = numberPattern.ReplaceAllLiteralString(s, "<n>")
	return strings.TrimSpace(spacePattern.ReplaceAllLiteralString(s, " "))
}
