package simulate

import (
	"regexp"
	"strconv"
	"strings"
)

// release is a month, as year and month in one number: payloads are written as
// they were then.
type release int

const (
	releaseToday release = 999912
	releaseNext  release = 999999 // what may come: other names, strings for numbers, new members and values
	firstRelease release = 202101
)

var releasePattern = regexp.MustCompile(`^(\d{4})(?:-(0[1-9]|1[0-2]))?$`)

// parseRelease reads "today" (or nothing), "next", a year, or a year and a
// month such as 2023-08. A year is its end.
func parseRelease(s string) (release, error) {
	switch s {
	case "", "today":
		return releaseToday, nil
	case "next":
		return releaseNext, nil
	}
	m := releasePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, invalid("the release is today, next, a year, or a month such as 2023-08")
	}
	month := m[2]
	if month == "" {
		month = "12"
	}
	n, _ := strconv.Atoi(m[1] + month) // they are digits
	if release(n) < firstRelease {
		return 0, invalid("what was sent before %s is not known", strings.TrimSuffix(strconv.Itoa(int(firstRelease)), "01"))
	}
	return release(n), nil
}
