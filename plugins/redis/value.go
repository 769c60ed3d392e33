package redis

import (
	"encoding/base64"
	"strings"

	"github.com/hookgate/hookgate/hook"
)

// strict takes no bits after the last byte: each value has one form.
var strict = base64.RawURLEncoding.Strict()

// The lengths of the values.
var (
	pendingLength   = len("p::") + strict.EncodedLen(len(hook.Token{})) + strict.EncodedLen(len(hook.Fingerprint{}))
	committedLength = len("c:") + strict.EncodedLen(len(hook.Fingerprint{}))
)

// heldBy is how the value of a claim begins that is pending under the token.
func heldBy(t hook.Token) string { return string(appendHeldBy(nil, t)) }

func appendHeldBy(b []byte, t hook.Token) []byte {
	b = append(b, "p:"...)
	b = strict.AppendEncode(b, t[:])
	return append(b, ':')
}

// appendPending appends the value of a claim that is pending.
func appendPending(b []byte, t hook.Token, fp hook.Fingerprint) []byte {
	return strict.AppendEncode(appendHeldBy(b, t), fp[:])
}

// committedValue is the value of a claim that is committed.
func committedValue(fp hook.Fingerprint) string {
	b := append(make([]byte, 0, committedLength), "c:"...)
	return string(strict.AppendEncode(b, fp[:]))
}

// judge returns what a value means for an attempt. It returns ErrForeign for
// what this package does not write.
func judge(value string, mine hook.Token) (hook.State, hook.Fingerprint, error) {
	var fp hook.Fingerprint
	if rest, ok := strings.CutPrefix(value, "c:"); ok && decode(fp[:], rest) {
		return hook.Committed, fp, nil
	}
	if rest, ok := strings.CutPrefix(value, "p:"); ok {
		var t hook.Token
		token, sum, _ := strings.Cut(rest, ":")
		if decode(t[:], token) && decode(fp[:], sum) {
			if t == mine {
				return hook.Ours, fp, nil
			}
			return hook.Pending, fp, nil
		}
	}
	return 0, hook.Fingerprint{}, ErrForeign
}

// decode fills dst, if s is just as long.
func decode(dst []byte, s string) bool {
	// The decoder passes over line breaks.
	if len(s) != strict.EncodedLen(len(dst)) || strings.ContainsAny(s, "\r\n") {
		return false
	}
	n, err := strict.Decode(dst, []byte(s))
	return err == nil && n == len(dst)
}
