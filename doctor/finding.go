package doctor

// Status is what came out of a check.
type Status string

// The statuses, the worst first.
const (
	Fail    Status = "fail"    // events may be lost, doubled, or taken from anybody
	Warn    Status = "warn"    // it works, and should be otherwise
	Skipped Status = "skipped" // it could not be looked at
	OK      Status = "ok"
)

// Finding is the result of a check.
type Finding struct {
	Check  string `json:"check"`           // its ID, such as redis.policy
	About  string `json:"about,omitempty"` // the name of a hook, a server's host:port, a file
	Status Status `json:"status"`
	Seen   string `json:"seen,omitempty"`   // what is there, or why it could not be looked at
	Advice string `json:"advice,omitempty"` // what to do about it, in one sentence

	// Excused says of one that was skipped that nobody can do better here: it
	// was not asked for, or does not show.
	Excused bool `json:"excused,omitempty"`
}

// Notes collect what is found about one thing.
type Notes struct {
	About string
	List  []Finding
}

func (n *Notes) add(check string, s Status, seen, advice string) *Finding {
	n.List = append(n.List, Finding{Check: check, About: n.About, Status: s, Seen: seen, Advice: advice})
	return &n.List[len(n.List)-1]
}

// OK notes that a check found nothing to do.
func (n *Notes) OK(check, seen string) { n.add(check, OK, seen, "") }

// Warn notes what works, and should be otherwise.
func (n *Notes) Warn(check, seen, advice string) { n.add(check, Warn, seen, advice) }

// Fail notes what has to be mended.
func (n *Notes) Fail(check, seen, advice string) { n.add(check, Fail, seen, advice) }

// Skip notes that a check could not be made, and what would make it possible.
func (n *Notes) Skip(check, why, advice string) { n.add(check, Skipped, why, advice) }

// Excuse notes that a check was not made where nobody can do better.
func (n *Notes) Excuse(check, why string) { n.add(check, Skipped, why, "").Excused = true }

// Grade notes a value that is fine, or needs a warning, or fails.
func (n *Notes) Grade(check string, s Status, seen, advice string) {
	if s == OK {
		advice = ""
	}
	n.add(check, s, seen, advice)
}
