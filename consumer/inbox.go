package consumer

import (
	"context"
	"crypto/sha256"

	"github.com/hookgate/hookgate/hook"
)

// complete returns a copy of an event, with an ID and a fingerprint in any
// case: messages that another program has put into the queue may have neither,
// and must not be taken for copies of each other.
func complete(ev *hook.Event) *hook.Event {
	full := *ev
	if full.Fingerprint == (hook.Fingerprint{}) {
		full.Fingerprint = sha256.Sum256(full.Body)
	}
	if full.ID == "" {
		full.ID = hook.DigestID(full.Fingerprint)
	}
	return &full
}

// claim returns the claim on an event in the inbox.
func (c *Consumer) claim(ev *hook.Event) hook.Claim {
	return hook.Claim{
		Key: inboxKey(ev), Token: hook.NewToken(), Fingerprint: ev.Fingerprint,
		Lease: c.opts.Lease, TTL: c.opts.InboxTTL,
	}
}

func inboxKey(ev *hook.Event) string { return hook.InboxKey(ev.Hook, ev.ID, ev.Replay) }

// boundedStore is a store whose claims end in time.
type boundedStore struct{ hook.Store }

func (s boundedStore) Claim(ctx context.Context, c hook.Claim) (hook.State, hook.Fingerprint, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	return s.Store.Claim(ctx, c)
}
