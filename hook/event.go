package hook

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// MaxIDLength is the longest event ID in bytes. AMQP 0-9-1 keeps a message ID
// in a short string of at most 255 bytes, and a longer one closes the
// connection for everybody on it.
const MaxIDLength = 255

// DefaultName names the hook of a handler that was not given a name. Many
// routes may share it: their claims are told apart by ResourceKey.
const DefaultName = "default"

// The names of Event.Header. The set is closed.
const (
	HeaderTraceparent = "traceparent" // W3C Trace Context, https://www.w3.org/TR/trace-context/
	HeaderTracestate  = "tracestate"
	HeaderUnverified  = "unverified" // the store was down: nobody looked whether the event was there before
	HeaderReplaces    = "replaces"   // the LetterID of the dead letter that this event is an edit of
	HeaderDrift       = "drift"      // how the body differed from its contract: DriftHeader
)

// HeaderNames returns all of them.
func HeaderNames() []string {
	return []string{HeaderTraceparent, HeaderTracestate, HeaderUnverified, HeaderReplaces, HeaderDrift}
}

// Event is the content of one delivery.
type Event struct {
	ID          string            // the idempotency key, 1 to MaxIDLength bytes
	Hook        string            // the name of the hook that took it
	RoutingKey  string            // where the queue sends it. Default: the hook's name
	Queue       string            // the queue by name that takes it, "" for the one that the routing key leads to
	Task        string            // the Celery task that it is a call of, "" for the event as it is
	Contract    string            // name and version of the contract it was read with, "" for none
	ContentType string            // media type of the body
	Body        []byte            // what is delivered
	Fingerprint Fingerprint       // tells this content from another under the same ID
	ReceivedAt  time.Time         // when the edge had read the request's header
	ClientIP    netip.Addr        // the sender, as the edge's trusted_proxies see it
	Header      map[string]string // trace context and remarks, by the Header names
	Attempt     int               // failed attempts to process it so far
	Replay      int               // how often it was sent again from the dead letters
}

// Fingerprint is the SHA-256 of a body as received, less the volatile fields of
// its contract. Two deliveries of one event have the same.
type Fingerprint [sha256.Size]byte

// String returns the fingerprint in lower-case hexadecimal.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// DigestID is the event ID that stands for a value too long, or not there, to
// be an ID itself: "sha256:" and the digest in hexadecimal.
func DigestID(sum [sha256.Size]byte) string {
	return string(hex.AppendEncode([]byte("sha256:"), sum[:]))
}

// LogID returns a short digest of an event ID, to find an event in a log that
// must not hold the ID itself: IDs are the sender's, and may name a person.
func LogID(id string) string {
	sum := digest(id)
	return hex.EncodeToString(sum[:8])
}

// EventKey is the key under which a store holds the claim on an event. It has
// a fixed length and holds no personal data.
func EventKey(hook, id string) string { return storeKey("hookgate", hook, digest(id)) }

// ResourceKey is EventKey for a hook without a name of its own: the resource,
// such as method and path, tells its events from those of other routes that
// have no name either. No two lists of parts make one key.
func ResourceKey(hook string, resource []string, id string) string {
	sums := make([]byte, 0, 4*sha256.Size)
	for _, part := range resource {
		sum := digest(part) // of a fixed length, so that no part runs into the next
		sums = append(sums, sum[:]...)
	}
	sum := digest(id)
	return storeKey("hookgate", hook, sha256.Sum256(append(sums, sum[:]...)))
}

// ParkKey is the key of an event that was kept for a person. It is not the
// event's own key, so that a corrected resend is a new event. The ID counts as
// well as the body: with an ID in a header, two events may have the same body,
// and each must be kept. A letter without an ID has its body alone.
func ParkKey(hook, id string, fp Fingerprint) string {
	if id == "" {
		return storeKey("park", hook, fp)
	}
	pair := append(make([]byte, 0, len(fp)+MaxIDLength), fp[:]...) // fp has a fixed length: no two pairs are one text
	return storeKey("park", hook, sha256.Sum256(append(pair, id...)))
}

// InboxKey is the key under which a consumer remembers that it has processed an
// event. A replay from the dead letters is to be processed once more, and has a
// key of its own: always the same for the same replay, so that one which is
// repeated makes no second effect.
func InboxKey(hook, id string, replay int) string {
	key := storeKey("inbox", hook, digest(id))
	if replay > 0 {
		key += ":" + strconv.Itoa(replay)
	}
	return key
}

// IsInboxKey reports whether a key is one that InboxKey makes.
func IsInboxKey(key string) bool { return strings.HasPrefix(key, "inbox:") }

// storeKey is a key of a store: what it is for, the hook and 22 characters of a
// digest, which are 132 bits.
func storeKey(of, hook string, sum [sha256.Size]byte) string {
	const digits = 22
	key := make([]byte, 0, 128) // more than any name and digest, so that it stays on the stack
	key = append(key, of...)
	key = append(key, ':')
	key = append(key, hook...)
	key = append(key, ':')
	return string(base64.RawURLEncoding.AppendEncode(key, sum[:])[:len(key)+digits])
}

// digest is the SHA-256 of a text. What is no longer than an event ID is copied
// to the stack for it, and allocates nothing.
func digest(text string) [sha256.Size]byte {
	return sha256.Sum256(append(make([]byte, 0, MaxIDLength), text...))
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// ValidName reports whether s can name a hook: 1 to 64 of a-z, 0-9, dot,
// underscore and hyphen, the first one a letter or a digit. A hook's name is a
// metric label, a part of store keys and a routing key.
func ValidName(s string) bool { return namePattern.MatchString(s) }
