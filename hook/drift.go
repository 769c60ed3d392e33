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
	header := make([]byte, 0, MaxDriftHeader)
	for i, d := range list {
		before := len(header)
		if i > 0 {
			header = append(header, ", "...)
		}
		header = append(header, d.Kind...)
		header = append(header, ' ')
		header = appendDrift(header, d.Pointer)
		longest := MaxDriftHeader
		if i < len(list)-1 {
			longest -= len(driftMore)
		}
		if len(header) > longest {
			return strings.TrimPrefix(string(header[:before])+driftMore, ", ")
		}
	}
	return string(header)
}

func appendDrift(header []byte, pointer string) []byte {
	for i := range len(pointer) {
		if c := pointer[i]; isDriftByte(c) {
			header = append(header, c)
		} else {
			header = fmt.Appendf(header, "%%%02X", c)
		}
	}
	return header
}

func isDriftByte(c byte) bool { return c > ' ' && c <= '~' && c != ',' && c != '%' }
