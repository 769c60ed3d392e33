package validate

import (
	"os"
	"time"

	"github.com/go-json-experiment/json"

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

// timestamped reports whether the contract, which was loaded already, says
// where the time of an event is. All that are built in do; in a file it is the
// manifest that says it.
func (h *Handler) timestamped() bool {
	if h.ContractFile == "" {
		return h.Contract != ""
	}
	path, err := h.contractPath()
	if err != nil {
		return false
	}
	data, err := os.ReadFile(path)
	return err == nil && saysTimestamp(data)
}

func saysTimestamp(schema []byte) bool {
	var file struct {
		Manifest struct {
			Timestamp *string `json:"timestamp"`
		} `json:"x-hookgate"`
	}
	return json.Unmarshal(schema, &file) == nil && file.Manifest.Timestamp != nil
}
