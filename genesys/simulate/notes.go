package simulate

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/hookgate/hookgate/hook"
)

// reached is the share of the asked rate below which a note says so.
const reached = 0.9

// Refused are the answers to good events and their copies that were not a 2xx.
// They do not fail a run, but somebody should know why.
func (r *Report) Refused() []Answers {
	return slices.DeleteFunc(slices.Clone(r.Answers), func(a Answers) bool {
		return a.Status/100 == 2 || a.Sent != Good && a.Sent != Retry && a.Sent != Duplicate && a.Sent != InFlight
	})
}

// Unexpected are the answers that a receiver should not give, as far as they
// are not among Refused.
func (r *Report) Unexpected() []Answers {
	refused := r.Refused()
	return slices.DeleteFunc(slices.Clone(r.Answers), func(a Answers) bool {
		return a.Unexpected == 0 || slices.Contains(refused, a)
	})
}

// Notes are sentences on what does not fail the run but is worth a look.
func (r *Report) Notes() []string {
	var notes []string
	for _, a := range r.Refused() {
		note := fmt.Sprintf("refused: %s of kind %s answered %d %s", plural(a.Count, "event", "events"), a.Sent, a.Status, a.Code)
		if h := hint(a.Status, a.Code); h != "" {
			note += "; " + h
		}
		notes = append(notes, note)
	}
	for _, a := range r.Unexpected() {
		notes = append(notes, fmt.Sprintf("unexpected: %s of kind %s answered %d %s", plural(a.Unexpected, "request", "requests"), a.Sent, a.Status, a.Code))
	}
	for _, e := range r.Errors {
		notes = append(notes, fmt.Sprintf("no answer: %s of kind %s, %s: %s", plural(e.Count, "request", "requests"), e.Sent, e.Class, e.Example))
	}
	if slices.ContainsFunc(r.Errors, func(e TransportErrors) bool { return e.Class == ClassTLS }) {
		notes = append(notes, "for a certificate of your own give --cacert FILE, or --insecure")
	}
	if r.AcceptedTwice > 0 {
		notes = append(notes, plural(r.AcceptedTwice, "event was", "events were")+" accepted more than once")
	}
	if r.GivenUp > 0 {
		notes = append(notes, plural(r.GivenUp, "event was", "events were")+" given up after all retries: Genesys would have lost them")
	}
	if r.Abandoned > 0 {
		notes = append(notes, plural(r.Abandoned, "request was", "requests were")+" given up when the run was stopped")
	}
	if r.Events > 1 && r.achieved() < reached*r.Rate {
		note := fmt.Sprintf("the rate was %.1f events/s instead of %g", r.achieved(), r.Rate)
		if len(r.Errors) == 0 { // else it is what did not answer that took the time
			note += "; a higher --concurrency may help"
		}
		notes = append(notes, note)
	}
	return notes
}

// achieved is the rate that was reached, in events per second: what followed
// the first event, by the time it took. It is 0 for fewer than two events.
func (r *Report) achieved() float64 {
	if r.Sending <= 0 || r.Events < 2 {
		return 0
	}
	return float64(r.Events-1) / r.Sending.Seconds()
}

// hint says what to do about a refusal.
func hint(status int, code string) string {
	switch {
	case code == string(hook.CodeStale):
		return "the clocks of both sides differ, or the event is too old for the hook"
	case status == http.StatusUnauthorized:
		return "give the hook's secret with --secret-header or --hmac"
	case status == http.StatusForbidden:
		return "this machine's address is not in the hook's allow line"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return "is this the path of a hook?"
	case status == http.StatusConflict:
		return "an earlier run with the same --seed sent the same event IDs"
	case status == http.StatusRequestEntityTooLarge:
		return "the hook's max_body is smaller than a usual event"
	case code == string(hook.CodeContractViolation), code == string(hook.CodeMissingEventID):
		return "the hook expects other events: --payload has some"
	case status == http.StatusTooManyRequests:
		return "too many refused requests came from this address"
	case code == string(hook.CodeInFlight):
		return "the first copy was still being taken, which is fine"
	case code == string(hook.CodeOverloaded):
		return "the hook had more to do than it can in time, or max_in_flight was reached"
	case status/100 == 3:
		return "a hook must answer itself, and not redirect"
	}
	return ""
}
