package embedded

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// hash stands for the key of a claim in the file: short, of one length.
type hash [16]byte

func hashKey(key string) hash {
	sum := sha256.Sum256([]byte(key))
	return hash(sum[:16])
}

// claim is a hook.Claim as the writer needs it.
type claim struct {
	hash  hash
	token hook.Token
	fp    hook.Fingerprint
	lease time.Duration
	ttl   time.Duration
}

var (
	errNoKey   = errors.New("embedded: the claim has no key")
	errNoLease = errors.New("embedded: the claim has no lease")
	errNoTTL   = errors.New("embedded: the claim has no time to live")
)

func newClaim(c hook.Claim) (claim, error) {
	if c.Key == "" {
		return claim{}, errNoKey
	}
	return claim{hash: hashKey(c.Key), token: c.Token, fp: c.Fingerprint, lease: c.Lease, ttl: c.TTL}, nil
}

// record is what the file has under a hash.
type record struct {
	state  hook.State // Pending or Committed
	expiry int64      // Unix milliseconds; from then on it counts as absent
	fp     hook.Fingerprint
	token  hook.Token // of a pending one
}

const (
	committedSize = 1 + 8 + 32
	pendingSize   = committedSize + 16
)

func (r *record) append(b []byte) []byte {
	b = append(b, byte(r.state))
	b = binary.BigEndian.AppendUint64(b, uint64(r.expiry))
	b = append(b, r.fp[:]...)
	if r.state == hook.Pending {
		b = append(b, r.token[:]...)
	}
	return b
}

var errRecord = errors.New("a key's record is damaged")

func decodeRecord(b []byte) (r record, err error) {
	switch {
	case len(b) == committedSize && b[0] == byte(hook.Committed):
	case len(b) == pendingSize && b[0] == byte(hook.Pending):
		r.token = hook.Token(b[committedSize:])
	default:
		return record{}, fmt.Errorf("%w: %d bytes", errRecord, len(b))
	}
	r.state = hook.State(b[0])
	r.expiry = int64(binary.BigEndian.Uint64(b[1:]))
	r.fp = hook.Fingerprint(b[9:committedSize])
	return r, nil
}

// due is a key of the expiry index. They sort by time.
type due [8 + 16]byte

func newDue(expiry int64, h hash) (k due) {
	binary.BigEndian.PutUint64(k[:8], uint64(expiry))
	copy(k[8:], h[:])
	return k
}

func (k due) expiry() int64 { return int64(binary.BigEndian.Uint64(k[:8])) }
func (k due) hash() hash    { return hash(k[8:]) }

// millis is t in Unix milliseconds, not below 0, so that times sort as bytes.
func millis(t time.Time) int64 { return max(0, t.UnixMilli()) }

// seqKey is the key of an event. They sort by age.
func seqKey(seq uint64) (k [8]byte) {
	binary.BigEndian.PutUint64(k[:], seq)
	return k
}
