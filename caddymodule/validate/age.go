package validate

import (
	"time"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/hook"
)

// futureSkew is how far ahead of ours the sender's clock may be.
const futureSkew = 5 * time.Minute

// checkAge refuses what was recorded and is sent again later: the signatures
// of Genesys cover no time. A body whose timestamp is not one does not meet its
// contract, as a rule, and is then refused or kept for a person as such: a sender
// that never sends again is not to be told that it came too late.
func (h *Handler) checkAge(doc *contract.Document, now time.Time) error {
	if h.MaxEventAge == 0 || !doc.HasTimestamp && len(doc.Violations) > 0 {
		return nil
	}
	age := now.Sub(doc.Timestamp)
	if !doc.HasTimestamp || age > time.Duration(h.MaxEventAge) || age < -futureSkew {
		return &hook.Error{Code: hook.CodeStale, Detail: "the event's timestamp is missing, too old or in the future"}
	}
	return nil
}
