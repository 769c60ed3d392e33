package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The header fields of the schemes.
const (
	hubHeader      = "X-Hub-Signature-256"
	standardID     = "Webhook-Id"
	standardTime   = "Webhook-Timestamp"
	standardHeader = "Webhook-Signature"
)

// tolerance is how far the clock of a sender of Standard Webhooks may be off.
const tolerance = 5 * time.Minute

// maxSignatures is how many signatures one request may offer.
const maxSignatures = 8

var (
	errCredentials = errors.New("the credentials are missing or wrong")
	errStale       = errors.New("the signature's time is too far from ours")
)

// verifier checks the credentials of a request.
type verifier interface {
	// needsBody reports whether verify looks at the body.
	needsBody() bool

	// verify returns nil, errCredentials or errStale, in a time that does not
	// depend on how much of a secret was right.
	verify(h http.Header, body []byte, now time.Time) error

	// challenge is the WWW-Authenticate of a refusal (RFC 9110, section 11.6.1).
	challenge() string
}

// one returns the value of a header field that must stand once.
func one(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// headerSecret compares a header field with secrets. It compares digests, so
// that not even the length of a secret shows.
type headerSecret struct {
	name    string
	digests [][sha256.Size]byte
}

func (*headerSecret) needsBody() bool   { return false }
func (*headerSecret) challenge() string { return `Secret realm="webhooks"` }

func (v *headerSecret) verify(h http.Header, _ []byte, _ time.Time) error {
	value, ok := one(h, v.name)
	given := sha256.Sum256([]byte(value))
	match := 0
	for _, want := range v.digests {
		match |= subtle.ConstantTimeCompare(given[:], want[:])
	}
	if !ok || match == 0 {
		return errCredentials
	}
	return nil
}

// hubSignature checks X-Hub-Signature-256 as Genesys Cloud's Open Messaging
// sends it: the HMAC of the raw body in standard base64, and not in hexadecimal
// as others send under the same name.
// https://developer.genesys.cloud/commdigital/digital/openmessaging/validate
type hubSignature struct{ keys [][]byte }

func (*hubSignature) needsBody() bool   { return true }
func (*hubSignature) challenge() string { return `HubSignature realm="webhooks"` }

func (v *hubSignature) verify(h http.Header, body []byte, _ time.Time) error {
	value, _ := one(h, hubHeader)
	encoded, found := strings.CutPrefix(value, "sha256=")
	given, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !found || err != nil || !anyKey(v.keys, given, body) {
		return errCredentials
	}
	return nil
}

// anyKey reports whether one of the keys makes the MAC of the parts.
func anyKey(keys [][]byte, given []byte, parts ...[]byte) bool {
	match := false
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		for _, part := range parts {
			mac.Write(part)
		}
		match = hmac.Equal(given, mac.Sum(nil)) || match
	}
	return match
}

// standardWebhooks checks the symmetric signatures (v1) of Standard Webhooks,
// https://github.com/standard-webhooks/standard-webhooks.
type standardWebhooks struct{ keys [][]byte }

func (*standardWebhooks) needsBody() bool   { return true }
func (*standardWebhooks) challenge() string { return `StandardWebhooks realm="webhooks"` }

func (v *standardWebhooks) verify(h http.Header, body []byte, now time.Time) error {
	id, okID := one(h, standardID)
	stamp, okTime := one(h, standardTime)
	list, okList := one(h, standardHeader)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	signatures := strings.Fields(list)
	if !okID || id == "" || !okTime || !okList || err != nil || len(signatures) > maxSignatures {
		return errCredentials
	}
	match := false
	prefix := []byte(id + "." + stamp + ".")
	for _, s := range signatures {
		encoded, found := strings.CutPrefix(s, "v1,")
		if !found { // another version: not for us
			continue
		}
		given, err := base64.StdEncoding.DecodeString(encoded)
		match = err == nil && anyKey(v.keys, given, prefix, body) || match
	}
	if !match {
		return errCredentials
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > tolerance || off < -tolerance {
		return errStale
	}
	return nil
}

// standardKey decodes a secret of Standard Webhooks: base64 of 24 to 64 bytes,
// after whsec_.
func standardKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("a secret of Standard Webhooks is whsec_ and the base64 of 24 to 64 bytes")
	}
	return key, nil
}
