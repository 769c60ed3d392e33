package contract

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads a time in the form of RFC 3339, section 5.6. T and Z may be
// lower case, and a leap second (section 5.7) is the second after it.
func parseTime(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	if !hasTimeForm(s) {
		return time.Time{}, false
	}
	const seconds = len("2006-01-02T15:04:")
	leap := s[seconds:seconds+2] == "60"
	if leap {
		s = s[:seconds] + "59" + s[seconds+2:]
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
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

// isTime reports whether parseTime reads a text.
func isTime[T string | []byte](s T) bool {
	_, ok := parseTime(string(s))
	return ok
}

// parseMillis reads milliseconds since 1970, in the years that RFC 3339 can
// write.
func parseMillis(s string) (time.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	t := time.UnixMilli(n).UTC()
	return t, t.Year() >= 0 && t.Year() <= 9999
}

// hasTimeForm checks the form, about which time.Parse is not strict: it takes
// hours of one digit, a comma before the fraction, and offsets of any size.
// The other way round, it knows how long a month is.
func hasTimeForm(s string) bool {
	rest, ok := cutForm(s, "0000-00-00T00:00:00")
	if !ok {
		return false
	}
	if fraction, ok := strings.CutPrefix(rest, "."); ok {
		rest = strings.TrimLeft(fraction, "0123456789")
		if len(rest) == len(fraction) {
			return false
		}
	}
	if rest == "Z" {
		return true
	}
	if !strings.HasPrefix(rest, "+") && !strings.HasPrefix(rest, "-") {
		return false
	}
	offset := rest[1:]
	end, ok := cutForm(offset, "00:00")
	return ok && end == "" && offset[:2] < "24" && offset[3:] < "60"
}

// cutForm cuts off what has a given form, in which a zero is any digit.
func cutForm(s, form string) (rest string, ok bool) {
	if len(s) < len(form) {
		return "", false
	}
	for i := range len(form) {
		isDigit := s[i] >= '0' && s[i] <= '9'
		if form[i] == '0' && !isDigit || form[i] != '0' && s[i] != form[i] {
			return "", false
		}
	}
	return s[len(form):], true
}
