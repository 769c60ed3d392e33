package telemetry

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// maxDriftOfHook is how many places and kinds of one hook are told apart.
// Contracts have fewer; each is a series of a metric.
const maxDriftOfHook = 200

// driftElsewhere is the pointer of what is beyond them.
const driftElsewhere = "*"

// driftLogged is how long a drift that goes on is not logged again.
const driftLogged = time.Hour

// Drift is one way in which the bodies of a hook differed from their contract.
type Drift struct {
	Hook    string         `json:"hook"`
	Pointer string         `json:"pointer"` // "*" for places beyond the first 200 of the hook
	Kind    hook.DriftKind `json:"kind"`
	First   time.Time      `json:"first_seen"`
	Last    time.Time      `json:"last_seen"`
	Count   uint64         `json:"count"` // deliveries
}

// Drifts remembers drift: where, of which kind, when and how often, and never
// what stood there.
type Drifts struct {
	// Since is when it began to remember.
	Since time.Time

	metric *prometheus.CounterVec

	mu     sync.Mutex
	seen   map[driftKey]*driftEntry
	ofHook map[string]int
}

type driftKey struct {
	hook string
	hook.Drift
}

type driftEntry struct {
	Drift
	counter prometheus.Counter
	logged  time.Time
}

// ProcessDrifts returns what this process has seen. It lives as long as the
// process, so that nothing is lost in a reload.
var ProcessDrifts = sync.OnceValue(newDrifts)

func newDrifts() *Drifts {
	return &Drifts{
		Since: time.Now(),
		metric: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hookgate_drift_total",
			Help: "Deliveries that differed from their contract and were taken all the same, by hook, pointer and kind.",
		}, []string{"hook", "pointer", "kind"}),
		seen:   make(map[driftKey]*driftEntry),
		ofHook: make(map[string]int),
	}
}

// List returns what was seen, by hook, pointer and kind.
func (d *Drifts) List() []Drift {
	d.mu.Lock()
	list := make([]Drift, 0, len(d.seen))
	for _, e := range d.seen {
		list = append(list, e.Drift)
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b Drift) int {
		return cmp.Or(strings.Compare(a.Hook, b.Hook), strings.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// note counts one difference. It returns what is known of it now, and whether
// a line about it is due.
func (d *Drifts) note(hookName string, diff hook.Drift, now time.Time) (Drift, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entry(hookName, diff)
	if e.Count == 0 {
		e.First = now
	}
	e.Last = now
	e.Count++
	e.counter.Inc()
	due := e.logged.IsZero() || now.Sub(e.logged) >= driftLogged
	if due {
		e.logged = now
	}
	return e.Drift, due
}

func (d *Drifts) entry(hookName string, diff hook.Drift) *driftEntry {
	key := driftKey{hookName, diff}
	e := d.seen[key]
	if e == nil && d.ofHook[hookName] >= maxDriftOfHook {
		key.Pointer = driftElsewhere
		e = d.seen[key]
	}
	if e == nil {
		e = &driftEntry{
			Drift:   Drift{Hook: hookName, Pointer: key.Pointer, Kind: diff.Kind},
			counter: d.metric.WithLabelValues(hookName, key.Pointer, string(diff.Kind)),
		}
		d.seen[key] = e
		d.ofHook[hookName]++
	}
	return e
}

// Drift counts how a body differed from its contract. Each difference is logged
// when it is first seen, and once an hour while it goes on.
func (rec *Recorder) Drift(hookName, contract string, list []hook.Drift) {
	if rec == nil || len(list) == 0 {
		return
	}
	now := time.Now()
	for _, diff := range list {
		seen, due := rec.drifts.note(hookName, diff, now)
		if !due {
			continue
		}
		rec.drift.Info("drift", zap.String("hook", hookName), zap.String("contract", contract),
			zap.String("pointer", seen.Pointer), zap.String("kind", string(seen.Kind)), zap.Uint64("count", seen.Count))
	}
}
