package simulate

import (
	"net/http"

	"github.com/hookgate/hookgate/hook"
)

// The codes that Hookgate gives its answers, as far as an expectation needs them.
const (
	accepted  = string(hook.OutcomeAccepted)
	duplicate = string(hook.OutcomeDuplicate)
	parked    = string(hook.OutcomeParked)
	inFlight  = string(hook.CodeInFlight)
)

// circumstance is what an expectation depends on besides the kind.
type circumstance struct {
	paired bool // two copies were in flight
	known  bool // an earlier copy was answered 2xx
}

// expected reports whether a receiver that keeps its promises may answer so.
// Lateness is judged elsewhere.
func expected(kind Kind, r reply, c circumstance) bool {
	success := r.status/100 == 2
	switch {
	case kind == Malformed:
		return r.status/100 == 4 || success && r.code == parked
	case kind == Oversized:
		return r.status == http.StatusRequestEntityTooLarge
	case kind == Slow:
		return r.status == http.StatusGatewayTimeout || r.status == http.StatusRequestTimeout
	case kind == Duplicate && c.known:
		return success && r.code == duplicate
	case kind == Retry:
		return success
	case c.paired || kind == Duplicate:
		return success && (r.code == accepted || r.code == duplicate) ||
			r.status == http.StatusServiceUnavailable && r.code == inFlight
	}
	return success && (r.code == accepted || r.code == noCode)
}

// wronglyTaken reports whether a body that no receiver should take was taken.
// A body kept for a person was not taken.
func wronglyTaken(kind Kind, r reply) bool {
	return (kind == Malformed || kind == Oversized) && r.ok() && r.code != parked
}
