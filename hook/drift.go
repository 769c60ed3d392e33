package hook

import (
	"fmt"
	"strings"
)

// DriftKind is a way in which a body differs from its contract and is taken all
// the same.
type DriftKind string

// The kinds of drift. The set is closed: it is a metric label. The last four
// are repaired in the body that is delivered.
const (
	DriftUnknownMember DriftKind = "unknown_member" // a name that the contract does not have
	DriftNewValue      DriftKind = "new_value"      // a value beside those that the contract lists
	DriftBothNames     DriftKind = "both_names"     // a member under several names, which of them counts is not ours to say
	DriftRenamed       DriftKind = "renamed"        // a member under another name only
	DriftStringNumber  DriftKind = "string_number"  // a number in a string
	DriftAbsentNull    DriftKind = "absent_null"    // no member, where the contract has one that is null
	DriftNoZone        DriftKind = "no_zone"        // a time without a zone, which is taken for UTC
)

// Drift is one difference between a body and its contract that was tolerated.
// It names the place and never a value.
type Drift struct {
	Pointer string    `json:"pointer"` // JSON Pointer, RFC 6901, with a star for a name that the contract does not have and for the elements of an array
	Kind    DriftKind `json:"kind"`
}

// MaxDriftHeader is the longest DriftHeader in bytes.
const MaxDriftHeader = 512

// driftMore ends a DriftHeader from which something was left out.
const driftMore = ", ..."

// DriftHeader writes drift for HeaderDrift: kind and pointer of each, such as
// "renamed /callDurationSeconds, unknown_member /*", and "..." for what is too
// long. It is visible ASCII and spaces: other bytes of a pointer, commas and
// percent signs are percent-encoded.
func DriftHeader(list []Drift) string {
	var b strings.Builder
	for i, d := range list {
		item := string(d.Kind) + " " + encodeDrift(d.Pointer)
		if i > 0 {
			item = ", " + item
		}
		room := MaxDriftHeader - b.Len()
		if i < len(list)-1 {
			room -= len(driftMore)
		}
		if len(item) > room {
			return strings.TrimPrefix(b.String()+driftMore, ", ")
		}
		b.WriteString(item)
	}
	return b.String()
}

func encodeDrift(pointer string) string {
	plain := true
	for i := range len(pointer) {
		plain = plain && isDriftByte(pointer[i])
	}
	if plain {
		return pointer
	}
	var b strings.Builder
	for i := range len(pointer) {
		if isDriftByte(pointer[i]) {
			b.WriteByte(pointer[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", pointer[i])
		}
	}
	return b.String()
}

func isDriftByte(c byte) bool { return c > ' ' && c <= '~' && c != ',' && c != '%' }
