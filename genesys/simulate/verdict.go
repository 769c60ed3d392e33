package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// OK reports whether the receiver kept its promises: every answer in time, none
// missing, no redirect, and nothing taken that should not be.
func (r *Report) OK() bool { return len(r.Failures()) == 0 }

// Failures says, a sentence each, which promises were not kept.
//
// A connection cut while an oversized body was sent is no failure: HTTP allows
// it (RFC 9110, section 15.5.14). A good event that was refused is none either;
// see Refused.
func (r *Report) Failures() []string {
	var failures []string
	if r.Late > 0 {
		failures = append(failures, fmt.Sprintf("%s later than %v", plural(r.Late, "answer", "answers"), r.Deadline))
	}
	if r.Silent > 0 {
		failures = append(failures, plural(r.Silent, "request was", "requests were")+" never answered")
	}
	missing, redirects := 0, 0
	for _, e := range r.Errors {
		if e.Sent != Oversized && e.Class != ClassTimeout {
			missing += e.Count
		}
	}
	if missing > 0 {
		failures = append(failures, plural(missing, "request got", "requests got")+" no answer but a transport error")
	}
	for _, way := range slices.Sorted(maps.Keys(r.WronglyTaken)) {
		n := r.WronglyTaken[way]
		failures = append(failures, fmt.Sprintf("%s taken (%s)", plural(n, "bad body was", "bad bodies were"), way))
	}
	for _, a := range r.Answers {
		if a.Status/100 == 3 {
			redirects += a.Count
		}
	}
	if redirects > 0 {
		failures = append(failures, plural(redirects, "answer was a redirect", "answers were redirects")+", which senders do not follow")
	}
	return failures
}

// Verdict is the result in one line.
func (r *Report) Verdict() string {
	failures := r.Failures()
	switch {
	case len(failures) > 0:
		return "FAILED: " + strings.Join(failures, "; ")
	case r.Requests == 0:
		return "OK: nothing was sent"
	case r.Latencies[0].Count == 0:
		return "OK: no answer was waited for"
	}
	verdict := fmt.Sprintf("OK: %s, none later than %v", plural(r.Latencies[0].Count, "answer", "answers"), r.Deadline)
	refused, kept := r.notProcessed()
	var but []string
	if refused > 0 {
		but = append(but, plural(refused, "good event was", "good events were")+" refused")
	}
	if kept > 0 {
		but = append(but, plural(kept, "good event was", "good events were")+" kept for a person")
	}
	if len(but) > 0 {
		verdict += ", but " + strings.Join(but, " and ")
	}
	return verdict
}

// notProcessed counts the good events that will not be processed, without their
// copies. No promise is broken by that, but nobody should take it for a success.
func (r *Report) notProcessed() (refused, kept int) {
	for _, a := range r.Answers {
		switch {
		case a.Sent != Good:
		case a.Status/100 != 2:
			refused += a.Count
		case a.Code == parked:
			kept += a.Count
		}
	}
	return refused, kept
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
