package validate

import (
	"time"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/hook"
)

// futureSkew is how far ahead of ours the sender's clock may be.
const futureSkew = 5 * time.Minute

// checkAge refuses what was recorded and is sent again later: the signatures
// of Genesys cover no time.
func (h *Handler) checkAge(doc contract.Document, now time.Time) error {
	if h.MaxEventAge == 0 {
		return nil
	}
	age := now.Sub(doc.Timestamp)
	if !doc.HasTimestamp || age > time.Duration(h.MaxEventAge) || age < -futureSkew {
		return &hook.Error{Code: hook.CodeStale, Detail: "the event's timestamp is missing, too old or in the future"}
	}
	return nil
}
