package contract

import (
	"strings"
	"time"
)

// parseTime reads a time in the form of RFC 3339, strictly: time.Parse takes
// more. T and Z may be lower case (section 5.6), and a leap second (section
// 5.7) is the second after it.
func parseTime(s string) (time.Time, bool) {
	const seconds = len("2006-01-02T15:04:")
	if len(s) < seconds+len("05Z") {
		return time.Time{}, false
	}
	leap := s[seconds:seconds+2] == "60"
	if leap {
		s = s[:seconds] + "59" + s[seconds+2:]
	}
	var t time.Time
	if err := t.UnmarshalText([]byte(strings.ToUpper(s))); err != nil {
		return time.Time{}, false
	}
	if !leap {
		return t, true
	}
	if utc := t.UTC(); utc.Hour() != 23 || utc.Minute() != 59 {
		return time.Time{}, false
	}
	return t.Add(time.Second), true
}
