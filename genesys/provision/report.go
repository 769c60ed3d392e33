package provision

import (
	"slices"

	"github.com/hookgate/hookgate/genesys"
)

// What became of a thing.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
	Removed   = "removed"
	Found     = "found"
)

// The kinds of things.
const (
	KindIntegration   = "integration"
	KindCredential    = "credential"
	KindConfig        = "config"
	KindAction        = "data action"
	KindOpenMessaging = "open messaging integration"
)

// Step is what became of one thing.
type Step struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	ID     string `json:"id"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// Report is what became of a job. It is there, as far as it goes, beside an
// error too.
type Report struct {
	Steps []Step `json:"steps"`
	Test  *Test  `json:"test,omitempty"` // of a data action
}

// Changed reports whether something was changed.
func (r *Report) Changed() bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.State != Found && s.State != Unchanged })
}

// Test is the test of a data action, through to the edge.
type Test struct {
	OK      bool   `json:"ok"`
	EventID string `json:"event_id,omitempty"`
	Answer  string `json:"answer,omitempty"` // of the edge
	Error   string `json:"error,omitempty"`  // where it failed
}

func (r *Report) add(kind, name, id, state string) {
	r.Steps = append(r.Steps, Step{Kind: kind, Name: name, ID: id, State: state})
}

// Provisioner does jobs.
type Provisioner struct {
	api   genesys.API
	waits waits
	dry   bool
}

// New makes a provisioner that sends its calls to a client, or to a DryRun.
func New(s genesys.Sender) *Provisioner {
	_, dry := s.(*DryRun)
	return &Provisioner{api: genesys.API{Sender: s}, waits: defaultWaits, dry: dry}
}
