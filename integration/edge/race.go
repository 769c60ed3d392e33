package edge

import "strings"

// raceRule is what the race detector prints before and after each report.
const raceRule = "=================="

// upstreamRace is in the reports of a race inside Caddy 2.11.9: reverse_proxy
// retries while the attempt before is still reading the request's body, through
// a wrapper of Caddy's that both use. What is ours is not in it.
const upstreamRace = "reverseproxy.(*bodyNopCloserIfNotRead).Read()"

// races returns the reports of the race detector in a log, but not those of
// Caddy's own race.
func races(log string) []string {
	var found []string
	for _, report := range strings.Split(log, raceRule) {
		if strings.Contains(report, "DATA RACE") && !strings.Contains(report, upstreamRace) {
			found = append(found, report)
		}
	}
	return found
}
