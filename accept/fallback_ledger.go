package accept

import (
	"sync"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// ledger knows where the claims of this process are, so that a key which is
// held in one store is not taken in the other, and a claim is settled where it
// was taken.
type ledger struct {
	mu      sync.Mutex
	keys    map[string]*holding
	sweepAt int // number of keys
}

// holding is what is known of one key.
type holding struct {
	side   *side
	askers int // calls of Claim that are on their way to side
	token  hook.Token
	fp     hook.Fingerprint
	until  time.Time // of the lease; zero where nobody has won
}

const sweepFrom = 1024

func newLedger() *ledger { return &ledger{keys: make(map[string]*holding), sweepAt: sweepFrom} }

func (h *holding) held() bool { return time.Now().Before(h.until) }

// enter is called before a store is asked for a key. It reports false, and the
// fingerprint if it is known, where the other store has it, or is being asked.
func (l *ledger) enter(s *side, c hook.Claim) (ok bool, fp hook.Fingerprint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.keys[c.Key]
	if h == nil {
		l.sweep()
		h = &holding{side: s}
		l.keys[c.Key] = h
	}
	switch {
	case h.side == s:
	case h.askers > 0, h.held():
		return false, h.fp
	default:
		*h = holding{side: s}
	}
	h.askers++
	return true, fp
}

// leave is called with the outcome.
func (l *ledger) leave(c hook.Claim, a answer, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.keys[c.Key]
	h.askers--
	if a.state == hook.Ours {
		h.token, h.fp, h.until = c.Token, c.Fingerprint, since.Add(c.Lease)
	}
	if h.askers == 0 && !h.held() {
		delete(l.keys, c.Key)
	}
}

// of returns the store that a claim was taken in, or nil.
func (l *ledger) of(c hook.Claim) *side {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.keys[c.Key]; h != nil && h.token == c.Token && !h.until.IsZero() {
		return h.side
	}
	return nil
}

// renew starts the lease anew.
func (l *ledger) renew(c hook.Claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.keys[c.Key]; h != nil && h.token == c.Token && !h.until.IsZero() {
		h.until = time.Now().Add(c.Lease)
	}
}

// forget is called when a claim has ended.
func (l *ledger) forget(c hook.Claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.keys[c.Key]; h != nil && h.token == c.Token {
		l.free(c.Key, h)
	}
}

// settled is called when keys are committed, whoever held them.
func (l *ledger) settled(claims []hook.Claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range claims {
		if h := l.keys[c.Key]; h != nil {
			l.free(c.Key, h)
		}
	}
}

func (l *ledger) free(key string, h *holding) {
	h.until = time.Time{}
	if h.askers == 0 {
		delete(l.keys, key)
	}
}

// sweep drops what has run out, when there is much.
func (l *ledger) sweep() {
	if len(l.keys) < l.sweepAt {
		return
	}
	for key, h := range l.keys {
		if h.askers == 0 && !h.held() {
			delete(l.keys, key)
		}
	}
	l.sweepAt = max(sweepFrom, 2*len(l.keys))
}
