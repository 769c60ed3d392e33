package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"
)

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
