package allowlist

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// What becomes of a sender whose address is not in the list of Genesys Cloud.
const (
	outcomeDenied      = "denied"
	outcomeObserved    = "observed"    // let in, because the list is on trial
	outcomeUnavailable = "unavailable" // there is no list
)

// senders counts them. It lives as long as the process.
type senders struct{ *prometheus.CounterVec }

var counted = sync.OnceValue(func() *senders {
	s := &senders{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hookgate_allowlist_outsiders_total",
		Help: "Requests from addresses outside the list of Genesys Cloud, by outcome (denied, observed, unavailable).",
	}, []string{"outcome"})}
	for _, outcome := range []string{outcomeDenied, outcomeObserved, outcomeUnavailable} {
		s.WithLabelValues(outcome)
	}
	return s
})
