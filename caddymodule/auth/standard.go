package auth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The header fields of Standard Webhooks.
const (
	standardID     = "Webhook-Id"
	standardTime   = "Webhook-Timestamp"
	standardHeader = "Webhook-Signature"
)

// tolerance is how far the clock of a sender of Standard Webhooks may be off.
const tolerance = 5 * time.Minute

// maxSignatures is how many signatures one request may offer.
const maxSignatures = 8

// standardWebhooks checks the symmetric signatures (v1) of Standard Webhooks:
// the HMAC of ID, time and raw body, joined by full stops.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type standardWebhooks struct{ keys [][]byte }

func (*standardWebhooks) needsBody() bool   { return true }
func (*standardWebhooks) challenge() string { return `StandardWebhooks realm="webhooks"` }

func (v *standardWebhooks) verify(h http.Header, body []byte, now time.Time) error {
	id, okID := one(h, standardID)
	stamp, okTime := one(h, standardTime)
	list, okList := one(h, standardHeader)
	seconds, err := strconv.ParseUint(stamp, 10, 63)
	signatures := strings.Split(list, " ")
	if !okID || !okTime || !okList || err != nil || len(signatures) > maxSignatures {
		return errCredentials
	}
	// With a full stop in the ID, what was signed could be cut into parts in
	// another place.
	if id == "" || strings.Contains(id, ".") {
		return errCredentials
	}
	match := false
	prefix := []byte(id + "." + stamp + ".")
	for _, s := range signatures {
		encoded, found := strings.CutPrefix(s, "v1,")
		if !found { // another version: not for us
			continue
		}
		given, err := base64.StdEncoding.Strict().DecodeString(encoded)
		match = err == nil && anyKey(v.keys, given, prefix, body) || match
	}
	if !match {
		return errCredentials
	}
	if off := now.Sub(time.Unix(int64(seconds), 0)); off > tolerance || off < -tolerance {
		return errStale
	}
	return nil
}

// standardKey decodes a secret of Standard Webhooks: base64 of 24 to 64 bytes,
// after whsec_ or alone.
func standardKey(secret string) ([]byte, error) {
	encoded := strings.TrimPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	// The decoder passes over line breaks.
	if err != nil || strings.ContainsAny(encoded, "\r\n") || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("it is not whsec_ and the base64 of 24 to 64 bytes")
	}
	return key, nil
}
