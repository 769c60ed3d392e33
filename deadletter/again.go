package deadletter

import (
	"crypto/sha256"
	"maps"
	"strings"

	"github.com/hookgate/hookgate/hook"
)

// identity tells events apart as the inbox does, less the replay number. Two
// letters with the same one are the same event: copies of it, or one that was
// sent again and failed while its letter, in a run that was interrupted, stayed.
type identity struct {
	hook, id    string
	fingerprint hook.Fingerprint
}

func identityOf(ev *hook.Event) identity { return identity{ev.Hook, ev.ID, ev.Fingerprint} }

// again returns the event that a letter is sent again as, less its replay
// number. It is made of nothing but the letter: whoever sends the letter once
// more makes the same.
func again(l *hook.DeadLetter) *hook.Event {
	ev := complete(l.Event)
	ev.Attempt = 0
	if l.Fault.Kind == hook.KindConflict {
		ev.ID = branchID(ev.ID, ev.Fingerprint)
	}
	return ev
}

// complete returns a copy of an event, with an ID and a fingerprint in any
// case. Messages of other programs may have neither; the consumer gives them
// the same.
func complete(ev *hook.Event) *hook.Event {
	full := *ev
	full.Header = maps.Clone(ev.Header)
	if full.Fingerprint == (hook.Fingerprint{}) {
		full.Fingerprint = sha256.Sum256(full.Body)
	}
	if full.ID == "" {
		full.ID = hook.DigestID(full.Fingerprint)
	}
	return &full
}

// branchID is the ID of another body under an ID that was taken before: the
// inbox would not let it pass under the first.
func branchID(id string, fp hook.Fingerprint) string {
	suffix := "~" + fp.String()[:8]
	if strings.HasSuffix(id, suffix) {
		return id
	}
	if id += suffix; len(id) > hook.MaxIDLength {
		return hook.DigestID(sha256.Sum256([]byte(id)))
	}
	return id
}
